"""What commands print: for people, for machines, into pipes that close, onto dumb terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess

import pytest
import yaml

from kubeadm_py import __version__

COLOUR = re.compile(r"\x1b\[[0-9;]*\b[39][0-7]m")
UNREACHABLE = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  ssh: {user: nobody, port: 1, hostKeys: accept-new}
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11, ssh: {host: 127.0.0.1}}
"""


def test_version(kpy):
    assert kpy("version", "-o", "short").out == f"v{__version__}\n"
    assert re.fullmatch(
        rf"kubeadm-py v{__version__} \(Kubernetes v1\.35\.\d+, v1\.36\.3\)\n", kpy("version").out
    )
    as_json, as_yaml = kpy("version", "-o", "json").out, kpy("version", "-o", "yaml").out
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert json.loads(as_json)["clientVersion"]["version"] == f"v{__version__}"


def test_generated_tokens_are_tokens_and_differ(kpy):
    tokens = {kpy("token", "generate").out for _ in range(3)}
    assert len(tokens) == 3
    assert all(re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}\n", token) for token in tokens)


def test_addons(kpy):
    lines = kpy("addon", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "STATUS", "VERIFIED", "PROVIDES", "DESCRIPTION"]
    assert {"flannel", "local-path-storage"} <= {line.split()[0] for line in lines[1:]}


@pytest.mark.parametrize(
    "command", ["config images list", "version -o json", "addon list", "--help", "init --help"]
)
def test_a_pipe_that_closes_ends_it_silently(command, environment):
    process = subprocess.run(
        ["bash", "-c", f"kubeadm-py {command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert process.stderr == b""


def test_head_gets_its_line(environment):
    process = subprocess.run(
        ["bash", "-c", "kubeadm-py config images list | head -n 1"],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (process.stdout, process.stderr) == (b"registry.k8s.io/kube-apiserver:v1.36.3\n", b"")


def on_a_terminal(arguments: list[str], environment: dict[str, str], cwd: str) -> str:
    """Run a command on a pseudo terminal and return all that it shows."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["kubeadm-py", *arguments], stdin=follower, stdout=follower, stderr=follower, env=environment, cwd=cwd
    )
    os.close(follower)
    shown = b""
    while select.select([leader], [], [], 60)[0]:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(leader)
    process.wait(60)
    return shown.decode()


@pytest.mark.parametrize(
    ("env", "colours"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_only_where_they_are_wanted(environment, write, tmp_path, env, colours):
    write("c.yaml", UNREACHABLE)
    arguments = ["preflight", "--config", "c.yaml"]
    shown = on_a_terminal(arguments, {**environment, **env}, str(tmp_path))
    assert "cp1" in shown
    assert bool(COLOUR.search(shown)) is colours
    if env["TERM"] == "dumb":
        assert "\x1b" not in shown
        assert shown.isascii()


def test_no_color_works_as_a_flag(environment, write, tmp_path):
    write("c.yaml", UNREACHABLE)
    arguments = ["preflight", "--config", "c.yaml", "--no-color"]
    shown = on_a_terminal(arguments, {**environment, "TERM": "xterm-256color"}, str(tmp_path))
    assert not COLOUR.search(shown)


def test_a_pipe_gets_neither_colours_nor_redrawing(kpy, write):
    ended = kpy("preflight", "--config", write("c.yaml", UNREACHABLE), env={"TERM": "xterm-256color"})
    assert "\x1b" not in ended.text
    assert "\r" not in ended.text


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_locale_without_utf_8_is_no_reason_to_fail(kpy, write, locale):
    env = {"LANG": locale, "LC_ALL": locale, "PYTHONIOENCODING": "ascii"}
    ended = kpy("preflight", "--config", write("c.yaml", UNREACHABLE), env=env)
    assert ended.code == 7
    assert ended.text.isascii()


class TestOutputThatTakesNothing:
    """A disk that is full, a stream that is closed: said on standard error, and never as a fault of ours."""

    def run(self, command: str, environment: dict[str, str], cwd: object) -> subprocess.CompletedProcess[str]:
        words = ["bash", "-c", f"kubeadm-py {command}"]
        return subprocess.run(
            words, capture_output=True, text=True, env=environment, cwd=cwd, timeout=60, check=False
        )

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    @pytest.mark.parametrize("command", ["version", "version -o json", "addon list", "--help", "init --help"])
    def test_a_full_disk(self, environment, tmp_path, command, unbuffered):
        ended = self.run(f"{command} >/dev/full", {**environment, "PYTHONUNBUFFERED": unbuffered}, tmp_path)
        assert ended.returncode == 1
        assert "standard output cannot be written: No space left on device" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "itself" not in ended.stderr
        assert "Exception ignored" not in ended.stderr

    @pytest.mark.parametrize(
        ("command", "code"),
        [("version", 0), ("--help", 0), ("preflight --config c.yaml", 7), ("init --x", 2)],
    )
    def test_closed_streams(self, environment, write, tmp_path, command, code):
        write("c.yaml", UNREACHABLE)
        assert self.run(f"{command} <&- >&- 2>&-", environment, tmp_path).returncode == code

    @pytest.mark.parametrize("format", ["text", "json"])
    def test_a_run_goes_on_and_says_so(self, environment, write, tmp_path, format):
        write("c.yaml", UNREACHABLE)
        command = f"preflight --config c.yaml --format {format} >/dev/full"
        ended = self.run(command, environment, tmp_path)
        assert ended.returncode == 7
        assert "not all of this run was shown and logged: [Errno 28] No space left on device" in ended.stderr

    def test_a_pipe_that_is_closed_leaves_the_exit_code_the_runs(self, environment, write, tmp_path):
        write("c.yaml", UNREACHABLE)
        command = "preflight --config c.yaml | true; exit ${PIPESTATUS[0]}"
        ended = self.run(command, environment, tmp_path)
        assert (ended.returncode, ended.stderr) == (7, "")


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(kpy, write):
    config = write("c.yaml", UNREACHABLE)
    for env in ({"HOME": "/proc/nothing"}, {"XDG_STATE_HOME": "/proc/nothing"}):
        ended = kpy("preflight", "--config", config, env=env)
        assert ended.code == 7
        assert "this run is not logged: " in ended.out
        assert "connection refused" in ended.out


def test_a_config_on_standard_input_has_a_name(kpy):
    ended = kpy("config", "validate", "--config", "-", stdin=UNREACHABLE)
    assert (ended.code, ended.out[:15]) == (0, "<stdin> is good")
