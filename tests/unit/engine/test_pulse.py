"""A host keeps its lock while who holds it is heard of, and no longer: on this machine, with a real flock."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kubeadm_py.engine import pulse
from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.events import EventBus
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.interrupt import Interrupt
from kubeadm_py.engine.session import open_session
from kubeadm_py.model import paths
from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage

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


def test_a_stage_of_who_lost_it_changes_nothing(held, sandbox):
    """It may learn of its loss after it has begun: what it was told lies behind what the host sent before."""
    session = held(0.1)
    write = WriteFiles((sandbox.file("etc/new", b"new"),))
    assert sandbox.run(write, run_token=session.token).exit_code == 0
    session.close()
    other = held(0.1)
    again = WriteFiles((sandbox.file("etc/new", b"older"),))
    assert sandbox.run(again, run_token=session.token).exit_code == 75
    assert sandbox.markers == ["lost"]
    assert (sandbox.root / "etc/new").read_bytes() == b"new"
    assert sandbox.run(again, run_token=other.token).exit_code == 0
    other.close()
    assert sandbox.run(again, run_token=other.token).exit_code == 75, "nobody's lock is nobody's leave"


def test_a_run_shows_its_hosts_that_it_has_their_lock(held, sandbox):
    session = held(0.1)
    executor = Executor({"here": session}, EventBus(), {}, lambda _: (0, ()), Interrupt())
    step = PlannedStep("step", "a step", (WriteFiles((sandbox.file("etc/new", b"new"),)),))
    stage = Stage("prepare", "a stage", (HostPlan("here", (step,)),))
    assert executor.run(stage).errors == {}
    Path(paths.RUN_TOKEN).write_text("another run's\n")
    error = executor.run(stage).errors["here"]
    assert (error.exit_code, error.summary.partition(":")[0]) == (7, "this host's lock was lost")


def test_nobody_else_keeps_the_lock(held):
    """What waits for the next beat is a child of the one that holds it."""
    session = held(0.1)
    session.held.process._process.kill()
    assert comes(is_free, within=0.9), "at once, not when its children have waited long enough"


def test_a_host_waits_for_several_beats():
    assert pulse.PATIENCE_SECONDS > 4 * pulse.BEAT_SECONDS
