"""Hosts that are not there, are not who they were, or are not ready: each its own exit code."""

from __future__ import annotations

import getpass
import json
import socket
import time
from pathlib import Path

import pytest

CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  ssh: {{user: {user}, port: {port}, identityFile: {key}, sudo: false{more}}}
  hosts:
  - {{name: cp1, role: control-plane, address: 192.0.2.11, ssh: {{host: 127.0.0.1}}}}
  - {{name: w1, role: worker, address: 192.0.2.21, ssh: {{host: 127.0.0.1, port: {other}}}}}
"""


@pytest.fixture
def config(write, keys):
    """Return a function that writes a cluster whose two hosts are ports of this machine."""

    def make(port, other, more=""):
        text = CLUSTER.format(user=getpass.getuser(), port=port, other=other, key=keys["client"], more=more)
        return write("cluster.yaml", text)

    return make


@pytest.fixture
def closed():
    """Return two ports that refuse."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def open_(server, another_server):
    """Return the ports of two servers that let us in."""
    return server.port, another_server.port


READING = [
    ["preflight"],
    ["init", "--dry-run"],
    ["join", "--host", "w1", "--dry-run"],
    ["reset", "--dry-run"],
    ["token", "list"],
    ["token", "create", "--dry-run", "--print-join-command"],
    ["kubeconfig", "get"],
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_port_that_refuses(kpy, config, closed, command):
    started = time.monotonic()
    ended = kpy(*command, "--config", config(*closed))
    assert ended.code == 7, ended.text
    assert time.monotonic() - started < 15
    assert "refused" in ended.text
    assert "127.0.0.1" in ended.text
    assert "cp1" in ended.text or command[0] == "join"


@pytest.mark.parametrize("command", ["preflight", "init", "join --host w1"])
def test_all_checks_are_ignored_alone(kpy, config, closed, command):
    path = config(*closed)
    ended = kpy(*command.split(), "--config", path, "--ignore-preflight-errors", "Swap,all")
    assert ended.code == 2
    assert "--ignore-preflight-errors" in ended.err
    assert kpy(*command.split(), "--config", path, "--ignore-preflight-errors", "all").code == 7


def test_every_host_that_fails_is_named(kpy, config, closed):
    ended = kpy("preflight", "--config", config(*closed))
    assert "2 errors on 2 hosts" in ended.out
    for name in ("cp1: ", "w1: "):
        assert name in ended.out


@pytest.mark.parametrize("command", ["token list", "etcd status", "kubeconfig get"])
def test_every_control_plane_that_could_have_answered_is_named(kpy, config, closed, command):
    path = config(*closed)
    shared = "  endpoint: {loadBalancer: node-local}\n"
    path.write_text(path.read_text().replace("role: worker", "role: control-plane") + shared)
    ended = kpy(*command.split(), "--config", path)
    assert ended.code == 7, ended.text
    assert "cp1: cannot connect to" in ended.err
    assert "w1: cannot connect to" in ended.err


def test_status_of_hosts_that_are_silent(kpy, config, closed):
    path = config(*closed)
    ended = kpy("status", "--config", path)
    assert (ended.code, ended.err) == (7, "")
    assert ended.out.splitlines()[0] == "✗ demo · 0 of 2 nodes Ready  (exit 7)"
    assert ended.out.count("connection refused") == 2, "once a host"
    told = json.loads(kpy("status", "--config", path, "--format", "json").out)
    assert told["exit_code"] == 7
    assert {each["host"] for each in told["troubles"]} == {"", "cp1", "w1"}


def test_status_of_hosts_that_are_no_cluster(kpy, config, server, another_server, open_, known):
    known(server, another_server)
    ended = kpy("status", "--config", config(*open_))
    assert ended.code == 1, ended.text
    assert ended.out.count("no API server answers") == 1


def test_nobody_is_there_to_remove_a_host(kpy, config, closed):
    ended = kpy("remove", "w1", "--config", config(*closed), "--yes")
    assert ended.code == 7, ended.text
    assert "no control plane that stays can be reached" in ended.out
    assert "cp1: cannot connect to" in ended.out


TOO_LONG = "x" * 300
"""A name that no file can have: this machine refuses it whoever asks."""


@pytest.mark.parametrize(
    "command",
    [
        ["plan"],
        ["apply"],
        ["status"],
        ["token", "list"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_a_key_file_that_this_machine_refuses(kpy, config, closed, keys, command):
    path = config(*closed)
    path.write_text(path.read_text().replace(str(keys["client"]), f"/tmp/{TOO_LONG}"))
    ended = kpy(*command, "--config", path)
    assert f"/tmp/{TOO_LONG} cannot be used: File name too long" in " ".join(ended.text.split())
    assert "kubeadm-py itself failed" not in ended.text
    assert ended.code == 1


@pytest.mark.parametrize(
    "command",
    [
        ["bundle", "create", "--output", TOO_LONG],
        ["render", "--output", TOO_LONG],
        ["preflight", "--save-facts", TOO_LONG],
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_this_machine_refuses(kpy, config, closed, command):
    ended = kpy(*command, "--config", config(*closed))
    assert "File name too long" in ended.text
    assert "kubeadm-py itself failed" not in ended.text
    assert ended.code in {1, 2}


def test_the_last_run_where_the_logs_cannot_be_looked_for(kpy):
    ended = kpy("status", "--last", env={"XDG_STATE_HOME": f"/tmp/{TOO_LONG}"})
    assert "File name too long" in ended.err
    assert ended.code in {1, 2}


def test_json_is_one_object_a_line(kpy, config, closed):
    ended = kpy("preflight", "--config", config(*closed), "--format", "json")
    assert (ended.code, ended.err) == (7, "")
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["type"] for event in events[:2]] == ["run-started", "stage-started"]
    assert {event["host"] for event in events if event["type"] == "failed"} == {"cp1", "w1"}
    assert {event["exit_code"] for event in events if event["type"] == "failed"} == {7}
    assert [event["type"] for event in events[-2:]] == ["run-done", "report"]
    assert events[-1]["exit_code"] == 7
    assert {cause["host"] for cause in events[-1]["causes"]} == {"cp1", "w1"}
    assert all(isinstance(event["time"], float) for event in events[:-1])


def test_verify_of_what_cannot_be_reached_is_one_object(kpy, config, closed):
    ended = kpy("verify", "--config", config(*closed), "--format", "json")
    assert (ended.code, ended.err) == (7, "")
    (line,) = ended.out.splitlines()
    report = json.loads(line)
    assert (report["type"], report["exitCode"], report["ok"]) == ("verify", 7, False)
    failed = [result for result in report["results"] if result["outcome"] == "failed"]
    assert {result["host"] for result in failed} == {"cp1", "w1"}


class TestJoiningByFlags:
    TOKEN = "abcdef.0123456789abcdef"
    PIN = "sha256:" + "a" * 64

    def test_a_host_that_refuses(self, kpy, closed):
        host = f"nobody@127.0.0.1:{closed[0]}"
        pin = ["--discovery-token-ca-cert-hash", self.PIN]
        ended = kpy("join", "127.0.0.1:6443", "--host", host, "--token-file", "-", *pin, stdin=self.TOKEN)
        assert ended.code == 7, ended.text
        assert self.TOKEN not in ended.text

    def test_a_discovery_file_that_cannot_be_fetched(self, kpy, closed):
        url = f"https://127.0.0.1:{closed[0]}/discovery.conf"
        ended = kpy("join", "--discovery-file", url, "--host", f"nobody@127.0.0.1:{closed[1]}")
        assert ended.code == 7, ended.text
        assert f"the discovery file {url} cannot be fetched: " in ended.text

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["10.0.0.1:6443", "--token", "bad"], "not a bootstrap token"),
            (["--token", TOKEN], "name the API as host:port"),
            (["10.0.0.1:6443", "--token", TOKEN], "pin the cluster's CA"),
            (["10.0.0.1:6443"], "missing"),
            (["10.0.0.1:6443", "--token-file", "/nowhere"], "/nowhere cannot be read"),
            (["10.0.0.1:6443", "--token", TOKEN, "--token-file", "-"], "exclude each other"),
            (["--discovery-file", "/nowhere"], "no such file"),
            (["10.0.0.1:6443", "--discovery-file", "/nowhere"], "keep one of them"),
            (["10.0.0.1:99999", "--token", TOKEN], "99999"),
            (["not an address", "--token", TOKEN], "not an address"),
        ],
    )
    def test_what_cannot_be_meant(self, kpy, arguments, said):
        ended = kpy("join", *arguments, "--host", "nobody@127.0.0.1:1")
        assert ended.code == 2, ended.text
        assert said in ended.err
        assert "0123456789abcdef" not in ended.text


@pytest.mark.parametrize("verb", ["init", "join", "reset", "preflight"])
def test_a_host_that_the_file_lacks(kpy, config, closed, verb):
    ended = kpy(verb, "--config", config(*closed), "--host", "w9")
    assert ended.code == 2, ended.text
    assert "w9" in ended.err
    assert "cp1" in ended.err


def test_joining_the_only_control_plane(kpy, config, closed):
    ended = kpy("join", "--config", config(*closed), "--host", "cp1")
    assert (ended.code, "the first one begins the cluster: kubeadm-py init" in ended.err) == (2, True)


def test_joining_nobody(kpy, config, closed):
    ended = kpy("join", "--config", config(*closed))
    assert (ended.code, "--host w1" in ended.err) == (2, True)


def test_reset_asks_nobody_in_a_pipe(kpy, config, closed):
    ended = kpy("reset", "--config", config(*closed))
    assert (ended.code, "--yes" in ended.err) == (2, True)


def test_the_config_may_answer_for_the_operator_at_reset(kpy, config, closed, tmp_path):
    reset = "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\nforce: true\n"
    (tmp_path / "both.yaml").write_text(Path(config(*closed)).read_text() + reset)
    assert kpy("reset", "--config", str(tmp_path / "both.yaml")).code == 7


class TestHostKeys:
    def test_one_that_is_not_known(self, kpy, config, server, open_):
        ended = kpy("preflight", "--config", config(*open_))
        assert ended.code == 8, ended.text
        assert "host key is not known" in ended.out
        assert "SHA256:" in ended.out
        assert server.commands == []

    def test_one_that_has_changed(self, kpy, config, server, another_server, open_, known):
        known(server, another_server, key="other")
        ended = kpy("preflight", "--config", config(*open_))
        assert ended.code == 8, ended.text
        assert "host key has changed" in ended.out
        assert server.commands == []

    def test_accept_new_takes_the_first_and_no_other(self, kpy, config, server, open_, keys, home):
        path = config(*open_, ", hostKeys: accept-new")
        assert kpy("preflight", "--config", path).code != 8
        assert f"[127.0.0.1]:{server.port}" in (home / ".ssh/known_hosts").read_text()
        server.host_keys[:] = [keys["other"]]
        assert kpy("preflight", "--config", path).code == 8

    def test_of_two_causes_the_graver_decides(self, kpy, config, server, closed):
        """One host shows an unknown key (8), the other refuses the connection (7): 8."""
        ended = kpy("preflight", "--config", config(server.port, closed[0]), "--format", "json")
        assert ended.code == 8
        causes = json.loads(ended.out.splitlines()[-1])["causes"]
        assert sorted(cause["exit_code"] for cause in causes) == [7, 8]


class TestPreflight:
    """Against this very machine, reached over SSH: whatever it is like, it cannot be two hosts."""

    def test_errors_are_exit_code_3_and_all_are_shown(
        self, kpy, config, server, another_server, open_, known
    ):
        known(server, another_server)
        ended = kpy("preflight", "--config", config(*open_), "--format", "json")
        assert ended.code == 3, ended.text
        events = [json.loads(line) for line in ended.out.splitlines()]
        (failed,) = [event for event in events if event["type"] == "failed"]
        assert failed["exit_code"] == 3
        assert "nothing was changed anywhere" in failed["summary"]
        # One machine under two names: that alone is wrong on both.
        details = "\n".join(failed["details"])
        for host in ("cp1", "w1"):
            assert f"{host}  " in details
        assert "--ignore-preflight-errors=" in failed["fix"]

    def test_ignored_errors_are_warnings(self, kpy, config, server, another_server, open_, known):
        known(server, another_server)
        ended = kpy(
            "preflight",
            "--config",
            config(*open_),
            "--format",
            "json",
            "--ignore-preflight-errors",
            "all",
        )
        assert ended.code == 0, ended.text
        events = [json.loads(line) for line in ended.out.splitlines()]
        assert any(event["type"] == "found" and event["ignored"] for event in events)
        assert not any(event["type"] == "found" and event["severity"] == "error" for event in events)
        assert "nothing was changed" in events[-1]["verdict"]

    def test_what_probes_say_is_saved_for_render(
        self, kpy, config, server, another_server, open_, known, tmp_path
    ):
        known(server, another_server)
        path = config(*open_)
        save = ("preflight", "--config", path, "--save-facts", "facts")
        ended = kpy(*save)
        assert ended.code == 3, "what stands in the way is of use to whoever looks"
        assert "cp1, w1: facts are saved in facts" in ended.out
        saved = tmp_path / "facts"
        assert sorted(each.name for each in saved.iterdir()) == ["cp1.json", "w1.json"]
        assert saved.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in saved.iterdir()} == {0o600}
        (saved / "w1.json").write_text("an earlier one")
        assert kpy(*save, "--host", "w1").code == 3
        assert json.loads((saved / "w1.json").read_text())["probe"] == 1
        render = ("render", "--config", path, "--host", "w1", "-o", "out", "--no-secrets")
        ended = kpy(*render, "--facts", "facts/w1.json")
        assert ended.code == 0, ended.text

    def test_facts_cannot_be_saved_in_a_file(self, kpy, config, server, another_server, open_, known, write):
        known(server, another_server)
        file = write("taken", "x")
        ended = kpy("preflight", "--config", config(*open_), "--save-facts", file)
        assert (ended.code, "taken cannot be written: File exists" in ended.text) == (2, True), ended.text
        assert "reach and probe" not in ended.text, "found before any host is reached"

    def test_one_host(self, kpy, config, server, another_server, open_, known):
        known(server, another_server)
        ended = kpy("preflight", "--config", config(*open_), "--host", "w1", "--format", "json")
        events = [json.loads(line) for line in ended.out.splitlines()]
        assert [host["name"] for host in events[0]["hosts"]] == ["w1"]
        assert "cp1" not in "\n".join(ended.out.splitlines()[1:])

    def test_what_is_installed_later_is_judged_later(self, kpy, config, server, another_server, open_, known):
        """Of the artifacts at least the kubelet would be sent here: this is no node."""
        known(server, another_server)
        path = config(*open_)
        path.write_text(path.read_text() + "  artifacts: {source: official}\n")
        ended = kpy("preflight", "--config", path, "--format", "json", "--ignore-preflight-errors", "all")
        assert ended.code == 0, ended.text
        events = [json.loads(line) for line in ended.out.splitlines()]
        (notice,) = [event for event in events if event["type"] == "notice" and event["level"] == "info"]
        assert notice["text"].startswith("cp1, w1: container runtime, kubelet and images are checked once")
        found = {event["check"] for event in events if event["type"] == "found"}
        assert "CRI" not in found
        assert "FileExisting-kubelet" not in found

    def test_a_dry_run_of_init_refuses_alike_and_writes_nothing(
        self, kpy, config, server, another_server, open_, known
    ):
        known(server, another_server)
        ended = kpy("init", "--config", config(*open_), "--dry-run")
        assert ended.code == 3, ended.text
        assert "preflight refused" in ended.out
        assert "nothing was changed anywhere" in ended.out
