"""The help of every command, and what the command line refuses by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubeadm_py.cli.table import COMMANDS, GROUPS

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """List every command there is, groups included, as it is typed."""
    return ["", *GROUPS, *COMMANDS]


def test_the_designs_commands_are_there():
    assert {"init", "join", "verify", "reset", "render", "preflight", "version"} <= set(commands())
    assert {"token create", "token list", "token delete", "token generate"} <= set(commands())
    assert {"config validate", "config images list", "kubeconfig get", "addon list"} <= set(commands())


@pytest.mark.parametrize("command", commands())
def test_help_fits_a_terminal_and_says_what_the_command_does(kpy, command):
    ended = kpy(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].startswith(f"Usage: kubeadm-py {command}".rstrip())
    assert max(map(len, lines)) < 80
    assert lines[2].strip().endswith((".", ",")) or len(lines[2]) > 60
    assert not re.search(r"<\w|\{|\]\.\.\.\]", ended.out), "names of Python's types, braces"
    assert "None" not in ended.out


@pytest.mark.parametrize("command", ["", *GROUPS])
def test_a_group_alone_shows_its_commands(kpy, command):
    ended = kpy(*command.split())
    assert ended.code == 2
    assert "Commands:" in ended.text


def test_help_uses_a_wide_terminal(kpy):
    lines = kpy("join", "--help", env={"COLUMNS": "200"}).out.splitlines()
    assert 100 < max(map(len, lines)) <= 120


def test_the_words_are_named_as_in_the_usage(kpy):
    for command, usage, word in (
        ("remove", "[OPTIONS] HOST...", "HOST...  Hosts"),
        ("join", "[OPTIONS] [API:PORT]", "API:PORT  HOST:PORT"),
        ("token create", "[OPTIONS] [TOKEN]", "TOKEN  The token"),
    ):
        out = kpy(*command.split(), "--help").out
        assert out.startswith(f"Usage: kubeadm-py {command} {usage}\n")
        assert f"\nArguments:\n  {word}" in out


def test_help_has_a_short_name(kpy):
    assert kpy("token", "create", "-h").out == kpy("token", "create", "--help").out


def test_help_is_quick(kpy):
    kpy("--help")
    assert min(kpy("--help").cpu for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command"),
        (["init", "--frobnicate"], "No such option"),
        (["join", "--config"], "requires an argument"),
        (["verify"], "Missing option"),
        (["status"], "nothing says which cluster"),
        (["render", "--config", "x.yaml"], "Missing option"),
        (["init", "--apiserver-bind-port", "many"], "--apiserver-bind-port"),
        (["init", "--format", "xml"], "--format 'xml': one of text, json"),
        (["version", "-o", "xml"], "--output 'xml': one of short, json, yaml"),
        (["config", "images", "list", "-o", "xml"], "--output 'xml': one of text, json, yaml"),
        (["token", "create", "not-a-token"], "not a bootstrap token"),
        (["token", "create", "--ttl", "tomorrow"], "--ttl 'tomorrow'"),
        (["token", "delete", "UPPER!"], "token"),
        (["kubeconfig", "get", "--merge", "--path"], "exclude each other"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(kpy, arguments, said):
    ended = kpy(*arguments)
    assert ended.code == 2, ended.text
    assert said in ended.err
    assert ended.out == ""


def test_the_nodes_name_goes_with_a_bare_kubeadm_file_only(kpy, write):
    cluster = "apiVersion: kubeadm-py.io/v1alpha1\nkind: Cluster\nmetadata: {name: x}\n"
    cluster += "spec: {hosts: [{name: cp1, role: control-plane, address: 192.0.2.11}]}\n"
    ended = kpy("init", "--config", write("c.yaml", cluster), "--node-name", "other")
    assert (ended.code, "--node-name does not go with a Cluster document" in ended.err) == (2, True)
    bare = write("b.yaml", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n")
    ended = kpy("init", "--config", bare, "--node-name", "not a name")
    assert (ended.code, "--node-name 'not a name'" in ended.err) == (2, True)


@pytest.mark.parametrize("verb", ["init", "join"])
@pytest.mark.parametrize("flag", [["--token", "abcdef.0123456789abcdef"], ["--cri-socket", "unix:///x"]])
def test_kubeadms_flags_do_not_mix_with_a_config(kpy, verb, flag):
    ended = kpy(verb, "--config", "cluster.yaml", *flag)
    assert ended.code == 2
    name = flag[0].removeprefix("--")
    assert f"can not mix '--config' with arguments [{name}]" in ended.err
    assert "abcdef" not in ended.err


def test_an_endpoint_does_not_mix_with_a_config(kpy):
    ended = kpy("join", "10.0.0.1:6443", "--config", "cluster.yaml")
    assert (ended.code, "[API:PORT]" in ended.err) == (2, True)


def test_a_usage_error_under_json_is_one_object(kpy):
    import json

    ended = kpy("init", "--config", "nowhere.yaml", "--format", "json")
    assert ended.code == 2
    event = json.loads(ended.out)
    assert event["type"] == "failed"
    assert event["exit_code"] == 2
    assert "nowhere.yaml" in event["summary"]


def test_messages_and_pages_name_only_commands_that_exist():
    known = set(commands())
    texts = [*(ROOT / "kubeadm_py").rglob("*.py"), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.py")]
    unknown = set()
    for path in texts:
        for line in re.findall(r"kubeadm-py ((?:[a-z][a-z-]+ ?){1,3})", path.read_text()):
            words = line.split()
            if words[0] not in known:
                continue  # prose: "kubeadm-py itself", "kubeadm-py has"
            named = words[0]
            for word in words[1:]:
                if named in GROUPS:
                    named = f"{named} {word}"
            if named not in known:
                unknown.add(f"{path.name}: kubeadm-py {named}")
    assert unknown == set()
