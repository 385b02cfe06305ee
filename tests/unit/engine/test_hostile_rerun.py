"""A run that comes while an earlier one's script still works on the host."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.session import open_session
from kubeadm_py.errors import LockedError
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.model import paths
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role

NODE = Node("here", Role.WORKER, ("10.0.0.1",))


@pytest.fixture
def earlier(sandbox, monkeypatch):
    """Hold stage.lock for a while; the end leaves a file behind."""
    seen: list[float] = []
    processes: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(sessions, "_HOLDER", f"{paths.RUN_DIR}/holder")
    monkeypatch.setattr(sessions, "_PREAMBLE", f"PATH={paths.SEARCH_PATH}\n")
    monkeypatch.setattr(
        sessions,
        "parse",
        lambda line, **given: seen.append(given["round_trip"]) or HostFacts(hostname=line.decode()),
    )
    Path(paths.RUN_DIR).mkdir(parents=True)
    done = sandbox.root / "done"

    def hold(seconds: float) -> tuple[Path, list[float]]:
        command = [
            "flock",
            paths.STAGE_LOCK,
            "sh",
            "-c",
            f": >{sandbox.root}/begun; sleep {seconds}; : >{done}",
        ]
        processes.append(subprocess.Popen(command))
        while not (sandbox.root / "begun").exists():
            time.sleep(0.01)
        return done, seen

    yield hold
    for process in processes:
        process.wait()


def probe(done: Path) -> str:
    return f"[ -e {done} ] && now=after || now=before\necho '{PROBE_MARKER}'$now"


def test_it_looks_only_when_that_has_ended(sandbox, earlier):
    done, seen = earlier(0.7)
    session = open_session(NODE, sandbox.host, probe(done), verb="init")
    session.close()
    assert session.facts.hostname == "after", (
        "what was planned from an earlier look would undo the other's work"
    )
    assert seen == [0.0], "the wait must not pass for the way to the host: clocks are compared by it"


def test_it_gives_up_and_says_why(sandbox, earlier, monkeypatch):
    monkeypatch.setattr(sessions, "STAGE_PATIENCE_SECONDS", 0)
    done, _ = earlier(1)
    with pytest.raises(LockedError, match="an earlier run's stage is still at work"):
        open_session(NODE, sandbox.host, probe(done), verb="init")
