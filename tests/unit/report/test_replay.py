"""A run's log gives back the events that were written."""

from __future__ import annotations

import json

from kubeadm_py.engine.events import Cause, Event, Found, RunDone, RunHost, RunStarted, Timing
from kubeadm_py.report.replay import read
from kubeadm_py.report.runlog import RunLog

EVENTS: list[Event] = [
    RunStarted("apply", "demo", "v1.36.3", (RunHost("cp1", "control-plane"),), time=1.5),
    Found("Swap", "warning", "w1", "on", "off", time=2.0),
    RunDone(
        "failed",
        1,
        2.0,
        3,
        ("cp1",),
        ("kubectl",),
        (Timing("look", "cp1", 0.5),),
        (Cause(1, "cp1", "x"),),
        time=3.0,
    ),
]


def test_what_was_logged_comes_back(tmp_path):
    path = tmp_path / "runs" / "a.jsonl"
    with RunLog(path) as log:
        for event in EVENTS:
            log(event)
    assert list(read(path.read_text().splitlines())) == EVENTS


def test_half_a_line_and_what_nobody_knows_are_left_out():
    line = json.dumps(EVENTS[0].to_json())
    assert list(read([line, line[:20], '{"type": "of-tomorrow"}', '{"type": "notice"}', "3"])) == [EVENTS[0]]
