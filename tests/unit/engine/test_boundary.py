"""The boundary that crash tests hold a run at."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from kubeadm_py.engine.boundary import HELD, VARIABLE, Boundary
from kubeadm_py.engine.compile import compile_stage
from kubeadm_py.model.actions import RunScript
from kubeadm_py.model.stages import HostPlan, PlannedStep

PLAN = HostPlan("w1", (PlannedStep("s", "s", (RunScript("one", ":"), RunScript("two", ":"))),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("control/cp2/before", Boundary("control", "cp2", "before")),
        ("join/w1/after", Boundary("join", "w1", "after")),
        ("join/w1/3", Boundary("join", "w1", 3)),
        ("", None),
        ("join", None),
        ("join/w1/-1", None),
    ],
)
def test_it_is_read_from_the_environment(text, expected, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    assert Boundary.of_environment() == expected


def test_scripts_have_no_line_for_it_unless_it_is_theirs():
    def script(boundary):
        return compile_stage(
            PLAN, bytes, lambda _: (0, ()), stay_before=boundary.action("prepare", "w1")
        ).script

    assert script(Boundary("prepare", "w1", 1)).index("held") > script(Boundary("prepare", "w1", 1)).index(
        "kpy_begin 0\n"
    )
    for other in (
        Boundary("prepare", "w2", 1),
        Boundary("join", "w1", 1),
        Boundary("prepare", "w1", "after"),
    ):
        assert "held" not in script(other)


HOLDING = """
from kubeadm_py.engine.events import EventBus
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.session import Session
from kubeadm_py.model.actions import RunScript
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.transport.fake import FakeHost

bus = EventBus()
bus.subscribe(lambda event: print(event.to_json(), flush=True))
session = Session(Node("w1", Role.WORKER, ("192.0.2.1",)), FakeHost("w1"), HostFacts(), Inventory(), "")
plan = HostPlan("w1", (PlannedStep("s", "s", (RunScript("one", ":"),)),))
Executor({"w1": session}, bus, {}, lambda _: (0, ())).run(Stage("prepare", "t", (plan,)))
"""


def test_a_run_stays_there_until_it_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, VARIABLE: "prepare/w1/before"},
    ) as process:
        assert process.stdout is not None
        try:
            assert any(HELD in line for line in process.stdout)
            time.sleep(0.2)
            assert process.poll() is None
        finally:
            process.kill()
