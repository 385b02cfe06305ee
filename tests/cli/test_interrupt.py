"""Ctrl-C, whenever it comes: an exit code of its own, a word about it, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from kubeadm_py.cli.verbs import reset
from kubeadm_py.engine.interrupt import Interrupt, InterruptedRunError

CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  ssh: {{user: nobody, port: {port}, hostKeys: accept-new}}
  hosts:
  - {{name: cp1, role: control-plane, address: 192.0.2.11, ssh: {{host: 127.0.0.1}}}}
"""
AT_THE_START = """
import builtins
real = builtins.__import__
def load(name, *arguments, **options):
    if name == "typer":
        raise KeyboardInterrupt
    return real(name, *arguments, **options)
builtins.__import__ = load
from kubeadm_py.__main__ import main
main()
"""


def test_while_the_program_loads(environment):
    words = [sys.executable, "-c", AT_THE_START]
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


class SilentServer:
    """Take connections and say nothing, until they are dropped."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self.port = self._listener.getsockname()[1]
        self._taken: list[socket.socket] = []

    def take(self) -> None:
        """Wait for a connection."""
        self._taken.append(self._listener.accept()[0])

    def drop(self) -> None:
        """End all connections."""
        self._listener.close()
        for connection in self._taken:
            connection.close()


@pytest.fixture
def server() -> Iterator[SilentServer]:
    silent = SilentServer()
    yield silent
    silent.drop()


@pytest.fixture
def waiting(environment, write, server) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a command, and returns once it waits for a server that says nothing."""
    config = write("cluster.yaml", CLUSTER.format(port=server.port))
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["kubeadm-py", *arguments, "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # A shell's background jobs ignore Ctrl-C, and so would what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        server.take()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    text = ""
    while words not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return text


def test_a_command_without_a_run(waiting):
    process = waiting("token", "list")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "stopped by Ctrl-C" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["status", "logs etcd", "certs check-expiration"])
def test_who_only_looks_leaves_at_once(waiting, command):
    process = waiting(*command.split())
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert (process.returncode, out) == (130, "")
    assert err == "✗ stopped by Ctrl-C  (exit 130)\n"


def test_a_run_says_at_once_that_it_stops_and_then_why_it_ended(waiting, server):
    process = waiting("preflight")
    shown = read_until(process, "look  reach")
    process.send_signal(signal.SIGINT)
    shown += read_until(process, "Ctrl-C again leaves at once")
    server.drop()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, shown + out + err
    assert "stopped by Ctrl-C" in out
    assert "(exit 130)" in out
    assert "Traceback" not in out + err


@pytest.mark.usefixtures("heard_hangups")
def test_a_terminal_that_closes_stops_a_run_in_order(waiting, server):
    process = waiting("preflight")
    read_until(process, "look  reach")
    process.send_signal(signal.SIGHUP)
    read_until(process, "stopping: nothing new is begun")
    process.send_signal(signal.SIGHUP)
    server.drop()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "(exit 130)" in out


def test_all_causes_are_in_the_report(waiting, server):
    process = waiting("preflight", "--format", "json")
    read_until(process, '"stage-started"')
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C again leaves at once")
    server.drop()
    out, _ = process.communicate(timeout=60)
    report = json.loads(out.splitlines()[-1])
    assert (process.returncode, report["exit_code"]) == (130, 130)
    assert [cause["exit_code"] for cause in report["causes"]] == [130, 7]


def test_the_second_leaves_at_once(waiting):
    process = waiting("preflight")
    read_until(process, "look  reach")
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C again leaves at once")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 5


def test_at_the_question_of_reset(monkeypatch):
    class Terminal:
        def readline(self) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            return "y"

    monkeypatch.setattr(sys, "stdin", Terminal())
    before = signal.getsignal(signal.SIGINT)
    with Interrupt().handling():
        ours = signal.getsignal(signal.SIGINT)
        with pytest.raises(InterruptedRunError):
            reset._ask(["cp1"])
        assert signal.getsignal(signal.SIGINT) is ours
    assert signal.getsignal(signal.SIGINT) is before
