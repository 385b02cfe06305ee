"""A host keeps its lock while who holds it is heard of, and no longer: on this machine, with a real flock."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kubeadm_py.engine import pulse
from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.session import open_session
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import Node, Role

ANSWER = Path(__file__).parents[1] / "steps" / "prepare" / "cases" / "lab-prepared.probe"
NODE = Node("here", Role.WORKER, ("10.0.0.1",))


def comes(what: Callable[[], bool], within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_free() -> bool:
    with open(paths.RUN_LOCK) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def held(sandbox, monkeypatch):
    """Return a function that takes the lock of a host that waits a second for a beat."""
    monkeypatch.setattr(sessions, "_HOLDER", f"{paths.RUN_DIR}/holder")
    monkeypatch.setattr(pulse, "SCRIPT", pulse.SCRIPT.replace(f" {pulse.PATIENCE_SECONDS} ", " 1 "))
    opened = []

    def hold(every: float):
        monkeypatch.setattr(pulse, "BEAT_SECONDS", every)
        opened.append(open_session(NODE, sandbox.host, f"cat {ANSWER}", verb="init"))
        return opened[-1]

    yield hold
    for session in opened:
        session.close()


def test_the_lock_is_kept_as_long_as_beats_come(held):
    session = held(0.1)
    time.sleep(3)
    assert session.held.alive()
    assert not is_free()
    session.close()
    assert is_free()
    assert not Path(f"{paths.RUN_DIR}/holder").exists()


def test_who_falls_silent_loses_it_and_knows(held):
    session = held(3600)
    assert comes(is_free)
    assert comes(lambda: not session.held.alive())
    assert not Path(f"{paths.RUN_DIR}/holder").exists()


def test_nobody_else_keeps_the_lock(held):
    """What waits for the next beat is a child of the one that holds it."""
    session = held(0.1)
    session.held.process._process.kill()
    assert comes(is_free, within=0.9), "at once, not when its children have waited long enough"


def test_a_host_waits_for_several_beats():
    assert pulse.PATIENCE_SECONDS > 4 * pulse.BEAT_SECONDS
