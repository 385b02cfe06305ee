"""Locks and probes: over the fake transport, and over this machine with real flock."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path

import pytest

from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.session import facts_in, open_session
from kubeadm_py.errors import ExitCode, KubeadmPyError, LockedError, UnreachableError
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.facts.profiles import load_saved
from kubeadm_py.model import paths
from kubeadm_py.model.node import Node, Role
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost

ANSWER = Path(__file__).parents[1] / "steps" / "prepare" / "cases" / "lab-prepared.probe"
NODE = Node("here", Role.WORKER, ("10.0.0.1",))


@pytest.fixture(autouse=True)
def own_holder(sandbox, monkeypatch):
    monkeypatch.setattr(sessions, "_HOLDER", f"{paths.RUN_DIR}/holder")


@pytest.fixture
def probe() -> str:
    return f"cat {ANSWER}"


class TestForReal:
    def test_lock_and_facts_in_one(self, sandbox, probe):
        session = open_session(NODE, sandbox.host, probe, verb="init")
        try:
            assert session.facts.hostname == "w2"
            assert session.name == "here"
            assert session.held is not None
            assert session.held.alive()
            holder = Path(f"{paths.RUN_DIR}/holder").read_text()
            assert re.fullmatch(
                r"kubeadm-py init by \S+@\S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", holder
            )
            assert os.stat(paths.RUN_DIR).st_mode & 0o777 == 0o700
            with open(paths.RUN_LOCK) as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            session.close()
        assert session.held is None
        with open(paths.RUN_LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not os.path.exists(f"{paths.RUN_DIR}/holder")

    def test_a_second_run_is_told_who_has_the_lock(self, sandbox, probe):
        first = open_session(NODE, sandbox.host, probe, verb="init")
        try:
            with pytest.raises(LockedError, match="here: locked: kubeadm-py init by ") as caught:
                open_session(NODE, sandbox.host, probe, verb="join")
            assert caught.value.exit_code is ExitCode.LOCKED
            assert Path(f"{paths.RUN_DIR}/holder").read_text().startswith("kubeadm-py init")
        finally:
            first.close()
        open_session(NODE, sandbox.host, probe, verb="join").close()

    def test_looking_needs_no_lock(self, sandbox, probe):
        first = open_session(NODE, sandbox.host, probe, verb="init")
        try:
            second = open_session(NODE, sandbox.host, probe, verb="init", lock=False)
            assert second.held is None
            assert second.facts.hostname == "w2"
            second.close()
        finally:
            first.close()

    def test_looking_says_that_a_run_is_under_way(self, sandbox, probe):
        first = open_session(NODE, sandbox.host, probe, verb="init")
        holder = Path(f"{paths.RUN_DIR}/holder").read_text()
        assert first.under_way == ""
        second = open_session(NODE, sandbox.host, probe, verb="init", lock=False)
        assert second.under_way == holder.strip()
        first.close()
        assert open_session(NODE, sandbox.host, probe, verb="init", lock=False).under_way == ""

    def test_a_holder_without_its_lock_is_no_run(self, sandbox, probe):
        open_session(NODE, sandbox.host, probe, verb="init").close()
        Path(f"{paths.RUN_DIR}/holder").write_text("kubeadm-py init by somebody since yesterday\n")
        assert open_session(NODE, sandbox.host, probe, verb="init", lock=False).under_way == ""

    def test_looking_leaves_nothing(self, sandbox, probe):
        open_session(NODE, sandbox.host, probe, verb="init", lock=False).close()
        assert not os.path.exists(paths.RUN_DIR)

    def test_what_a_stopped_run_left_stops_no_other(self, sandbox, probe):
        Path(paths.RUN_DIR).mkdir()
        for name in ("stop", "stop-0123456789abcdef"):
            Path(f"{paths.RUN_DIR}/{name}").touch()
        open_session(NODE, sandbox.host, probe, verb="init").close()
        assert [name for name in os.listdir(paths.RUN_DIR) if name.startswith("stop")] == []

    def test_a_locked_host_keeps_its_stop(self, sandbox, probe):
        """A run that is turned away must not take the other one's stop away."""
        first = open_session(NODE, sandbox.host, probe, verb="init")
        stop = Path(f"{paths.RUN_DIR}/stop-0123456789abcdef")
        stop.touch()
        try:
            with pytest.raises(LockedError):
                open_session(NODE, sandbox.host, probe, verb="join")
            assert stop.exists()
        finally:
            first.close()

    def test_a_host_without_room(self, sandbox, probe):
        Path(paths.RUN_DIR).write_text("in the way")
        with pytest.raises(KubeadmPyError, match="the probe ended without an answer") as caught:
            open_session(NODE, sandbox.host, probe, verb="init")
        assert caught.value.host == "here"
        assert any("kubeadm-py" in line for line in caught.value.details)


def test_a_holder_that_left_no_name(sandbox):
    host = FakeHost("w1")
    host.answer("##kubeadm-py held", Result(75, b"##kubeadm-py locked \n", b""))
    with pytest.raises(LockedError, match="locked: another run"):
        open_session(NODE, host, "echo probe", verb="init")


def test_a_probe_that_says_nothing(sandbox):
    host = FakeHost("w1")
    host.answer("##kubeadm-py held", Result(1, b"", b"sh: cannot open /dev/null\n"))
    with pytest.raises(KubeadmPyError) as caught:
        open_session(NODE, host, "echo probe", verb="init")
    assert caught.value.details == ("sh: cannot open /dev/null",)


def test_a_lock_that_was_lost_at_once_is_no_lock(sandbox):
    """The facts came, then the channel ended: whoever goes on here goes on without a lock."""
    host = FakeHost("w1")
    line = ANSWER.read_bytes().strip() + b"\n"
    host.answer("##kubeadm-py held", Result(137, line, b""))
    with pytest.raises(UnreachableError, match="holds this host's lock"):
        open_session(NODE, host, "echo probe", verb="init")


@pytest.mark.parametrize("user", ["it's me", "$(id)", "a\nb", "DOMAIN\\\\name"])
def test_an_odd_operator_is_only_text(sandbox, probe, monkeypatch, user):
    monkeypatch.setattr(sessions, "operator", lambda: user)
    session = open_session(NODE, sandbox.host, probe, verb="init")
    assert user in Path(f"{paths.RUN_DIR}/holder").read_text()
    session.close()


def test_an_operator_without_a_name(monkeypatch):
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(sessions.getpass, "getuser", nobody)
    assert sessions.operator().startswith("an unnamed user@")


def test_the_last_answer_counts():
    line = ANSWER.read_bytes().strip()
    broken = PROBE_MARKER.encode() + b"{}"
    assert facts_in(b"noise\n" + broken + b"\n" + line + b"\nmore\n", "w1").hostname == "w2"


@pytest.mark.parametrize("lock", [True, False])
def test_a_session_keeps_the_probes_own_words(lock):
    line = ANSWER.read_bytes().strip()
    host = FakeHost("w1", default=Result(0, b"noise\n" + line + b"\n##kubeadm-py held\n", b""))
    session = open_session(NODE, host, "probe", verb="preflight", lock=lock)
    assert load_saved(session.answer).files == session.facts.files != {}
    assert json.loads(session.answer)["probe"] == 1
    session.learn(line.replace(b'"probe":1', b'"probe":1,"again":1'))
    assert json.loads(session.answer)["again"] == 1


def test_an_answer_that_was_cut():
    line = ANSWER.read_bytes().strip()
    with pytest.raises(KubeadmPyError, match="answer cannot be read"):
        facts_in(line[: len(line) // 2], "w1")
