import json
import threading
import time

import pytest

from kubeadm_py.engine import events
from kubeadm_py.engine.events import EventBus, Failed, Found, HostStarted, Notice, RunHost, RunStarted
from kubeadm_py.errors import HostKeyError
from kubeadm_py.model.findings import Finding, Severity


def every_event():
    return [
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, events.Event)
    ]


def test_types_are_unique():
    types = [event.type for event in every_event()]
    assert len(types) == len(set(types)) > 10


def test_json_is_plain():
    started = RunStarted("init", "demo", "v1.36.3", (RunHost("cp1", "control-plane"),), time=12.34567)
    assert json.loads(json.dumps(started.to_json())) == {
        "type": "run-started", "time": 12.346, "verb": "init", "cluster": "demo", "version": "v1.36.3",
        "hosts": [{"name": "cp1", "role": "control-plane"}], "source": "",
    }  # fmt: skip


def test_time_is_now_by_default():
    before = time.time()
    assert before <= HostStarted("look", "cp1").time <= time.time()


def test_findings_and_errors_become_events():
    found = Found.of(Finding("Swap", Severity.WARNING, "w1", "is on", "swapoff -a", ignored=True))
    assert found.to_json() | {"time": 0} == {
        "type": "found", "time": 0, "check": "Swap", "severity": "warning", "host": "w1", "found": "is on",
        "fix": "swapoff -a", "ignored": True,
    }  # fmt: skip
    failed = Failed.of(HostKeyError("changed", host="w1", details=["a"], fix="look"))
    assert (failed.summary, failed.host, failed.details, failed.fix, failed.exit_code) == (
        "changed", "w1", ("a",), "look", 8,
    )  # fmt: skip
    assert type(failed.to_json()["exit_code"]) is int


class TestBus:
    def test_subscribers_see_all_events_in_order_until_they_leave(self):
        bus, seen = EventBus(), []
        leave = bus.subscribe(seen.append)
        bus.emit(Notice("info", "one"))
        leave()
        leave()
        bus.emit(Notice("info", "two"))
        assert [event.text for event in seen] == ["one"]

    def test_one_that_breaks_is_dropped_and_the_others_go_on(self):
        bus, seen = EventBus(), []

        def broken(event):
            raise BrokenPipeError

        bus.subscribe(broken)
        bus.subscribe(seen.append)
        bus.emit(Notice("info", "one"))
        bus.emit(Notice("info", "two"))
        assert [event.text for event in seen] == ["one", "two"]
        assert [type(error) for error in bus.failures] == [BrokenPipeError]

    def test_events_come_one_at_a_time_from_many_threads(self):
        bus, inside, seen = EventBus(), [], []

        def subscriber(event):
            inside.append(1)
            assert len(inside) == 1
            seen.append(event)
            inside.pop()

        bus.subscribe(subscriber)
        threads = [
            threading.Thread(target=lambda: [bus.emit(Notice("info", "x")) for _ in range(200)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 1600
        assert bus.failures == []

    def test_a_subscriber_may_emit(self):
        bus, seen = EventBus(), []

        def echo(event):
            seen.append(event.text)
            if event.text == "one":
                bus.emit(Notice("info", "two"))

        bus.subscribe(echo)
        bus.emit(Notice("info", "one"))
        assert seen == ["one", "two"]


@pytest.mark.parametrize("event", every_event())
def test_every_event_says_what_its_fields_mean(event):
    assert event.__doc__
    assert not event.__doc__.startswith(event.__name__ + "(")
