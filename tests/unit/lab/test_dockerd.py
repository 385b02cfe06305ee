from __future__ import annotations

import gc
import os
import signal
import subprocess

import pytest
from lab import dockerd


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Let a harmless process stand for the engine."""
    started = []
    popen = subprocess.Popen

    def start(command, **options):
        process = popen(["sleep", "60"], **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(dockerd.subprocess, "Popen", start)
    monkeypatch.setattr(dockerd, "_RUN", tmp_path / "run")
    monkeypatch.setattr(dockerd, "_PID_FILE", tmp_path / "run" / "pid")
    monkeypatch.setattr(dockerd, "_log", lambda: tmp_path / "log")
    monkeypatch.setattr(dockerd, "_answers", lambda: True)
    monkeypatch.setattr(dockerd, "_child", None)
    yield
    for pid in started:
        os.kill(pid, signal.SIGKILL)
    if dockerd._child is not None:
        dockerd._child.wait()


@pytest.mark.usefixtures("engine")
def test_an_engine_that_outlives_its_start_is_not_forgotten():
    # Else Python warns of it, and the first test of a session fails of that.
    dockerd._start()
    gc.collect()
