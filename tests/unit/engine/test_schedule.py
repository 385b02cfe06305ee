"""Schedules: who waits for whom, and what a loss costs the others."""

from __future__ import annotations

import threading

import pytest

from kubeadm_py.engine.events import HostDone, HostStarted, StageDone, StageStarted
from kubeadm_py.engine.parts import Outcome, Part
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.actions import Guard, RunScript
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost
from tests.unit.engine.test_execute import Work, lines

DONE = lines("begin 0", "done 0 changed")
FAILED = lines("begin 0", "failed 0 1", "output it did not work", code=1)


def planner(stage: str, *, busy=None, provides=""):
    """Return a plan that gives one action to each host, or to the `busy` ones alone."""

    def plan(hosts):
        step = PlannedStep("step", "a step", (RunScript("act", ":"),), provides)
        plans = (HostPlan(name, (step,) if busy is None or name in busy else ()) for name in hosts)
        return Stage(stage, stage, tuple(plans))

    return plan


def part(name: str, *hosts: str, **more) -> Part:
    settings = {key: more.pop(key) for key in ("busy", "provides_step") if key in more}
    plan = planner(name, busy=settings.get("busy"), provides=settings.get("provides_step", ""))
    return Part(name, f"title of {name}", hosts, more.pop("plan", plan), **more)


def a_host(name: str, **answers: Result) -> FakeHost:
    host = FakeHost(name)
    host.answer("# stage", DONE)
    for stage, answer in answers.items():
        host.answer(f"# stage {stage}", answer)
    return host


def order(work: Work) -> list[tuple[str, str]]:
    return [(event.stage, event.host) for event in work.of(HostStarted)]


def test_a_host_takes_its_parts_in_their_order():
    work = Work(a_host("a"))
    outcome = work.executor.schedule([part("one", "a"), part("two", "a")])
    assert order(work) == [("one", "a"), ("two", "a")]
    assert outcome.changed == {"a": 2}
    assert [event.stage for event in work.of(StageDone)] == ["one", "two"]


def test_who_needs_something_begins_once_it_is_there():
    work = Work(a_host("leader"), a_host("worker"))
    parts = [
        part("control", "leader", provides=("api",), provides_step="api"),
        part("join", "worker", needs=("api",)),
    ]
    work.executor.schedule(parts)
    assert order(work) == [("control", "leader"), ("join", "worker")]


def test_what_nobody_has_to_do_is_there_already():
    work = Work(a_host("leader"), a_host("worker"))
    parts = [part("control", "leader", provides=("api",), busy=()), part("join", "worker", needs=("api",))]
    outcome = work.executor.schedule(parts)
    assert order(work) == [("join", "worker")]
    assert [event.stage for event in work.of(StageStarted)] == ["join"], "an empty stage is silent"
    assert outcome.left_out == {}


def test_what_cannot_come_any_more_is_not_waited_for():
    work = Work(a_host("leader", control=FAILED), a_host("worker"))
    parts = [
        part("control", "leader", provides=("api",), provides_step="api"),
        part("join", "worker", needs=("api",)),
        part("ready", "worker"),
    ]
    outcome = work.executor.schedule(parts)
    assert order(work) == [("control", "leader")]
    assert list(outcome.errors) == ["leader"]
    assert outcome.left_out == {"join": ["worker"]}
    assert outcome.well(("leader", "worker")) == ()


def test_those_that_begin_together_wait_for_the_last():
    slow = a_host("slow")
    release = threading.Event()

    def wait(_call) -> Result:
        assert release.wait(5)
        return DONE

    slow.answer("# stage prepare", wait)
    work = Work(a_host("fast"), slow)
    seen: list[str] = []

    def release_after_fast(event) -> None:
        if isinstance(event, HostDone) and (event.stage, event.host) == ("prepare", "fast"):
            seen.append("fast is ready")
            release.set()

    work.bus.subscribe(release_after_fast)
    asked: list[tuple[str, ...]] = []

    def plan(hosts):
        asked.append(tuple(hosts))
        return planner("control")(hosts)

    parts = [
        part("prepare", "fast", "slow"),
        part("control", "fast", "slow", together=True, plan=plan),
    ]
    work.executor.schedule(parts)
    assert seen
    assert asked == [("fast", "slow")], "planned once, for all"
    begun = order(work)
    assert begun.index(("control", "fast")) > begun.index(("prepare", "slow"))


def test_where_one_is_lost_before_nobody_begins():
    work = Work(a_host("a", prepare=FAILED), a_host("b"), a_host("worker"))
    parts = [
        part("prepare", "a", "b", "worker"),
        part("control", "a", "b", together=True, provides=("api",), provides_step="api"),
        part("join", "worker", needs=("api",)),
    ]
    outcome = work.executor.schedule(parts)
    assert {stage for stage, _ in order(work)} == {"prepare"}
    assert list(outcome.errors) == ["a"]
    assert outcome.left_out == {"control": ["b"], "join": ["worker"]}


def test_one_after_the_other_and_no_further_than_the_first_that_fails():
    work = Work(a_host("a"), a_host("b", control=FAILED), a_host("c"))
    outcome = work.executor.schedule(
        [part("control", "a", "b", "c", together=True, in_turn=lambda stage: True)]
    )
    assert order(work) == [("control", "a"), ("control", "b")]
    assert list(outcome.errors) == ["b"]
    assert outcome.left_out == {"control": ["c"]}


def test_in_turn_goes_on_past_those_with_nothing_to_do():
    work = Work(a_host("a"), a_host("b"), a_host("c"))
    outcome = work.executor.schedule(
        [part("control", "a", "b", "c", together=True, in_turn=lambda stage: True, busy=("c",))]
    )
    assert order(work) == [("control", "c")]
    assert work.of(StageStarted)[0].hosts == ("c",)
    assert outcome.changed == {"a": 0, "b": 0, "c": 1}


def test_after_a_part_means_after_all_of_its_hosts_well_or_not():
    work = Work(a_host("leader"), a_host("w1"), a_host("w2", join=FAILED))
    outcome = Outcome()
    present: list[tuple[str, ...]] = []

    def plan(hosts):
        present.append(outcome.well(("w1", "w2")))
        return planner("ready")(hosts)

    parts = [part("join", "w1", "w2"), part("ready", "leader", after=("join",), plan=plan)]
    work.executor.schedule(parts, outcome)
    assert present == [("w1",)]
    assert order(work)[-1] == ("ready", "leader")
    assert [event.ok for event in work.of(StageDone)] == [False, True]


def test_a_refusal_for_all_is_one_error():
    refusal = KubeadmPyError("refused")

    def plan(hosts):
        raise refusal

    work = Work(a_host("a"), a_host("b"))
    outcome = work.executor.schedule([part("control", "a", "b", together=True, plan=plan)])
    assert outcome.all_errors() == [refusal]
    assert set(outcome.errors) == {"a", "b"}
    assert order(work) == []


def test_a_refusal_of_one_leaves_the_others_alone():
    def plan(hosts):
        if "b" in hosts:
            raise KubeadmPyError("refused", host="b")
        return planner("join")(hosts)

    work = Work(a_host("a"), a_host("b"))
    outcome = work.executor.schedule([part("join", "a", "b", plan=plan)])
    assert (outcome.changed, list(outcome.errors)) == ({"a": 1}, ["b"])


def test_a_fault_of_ours_is_told_as_one():
    def plan(hosts):
        raise ZeroDivisionError("oops")

    work = Work(a_host("a"))
    outcome = work.executor.schedule([part("join", "a", plan=plan)])
    assert "a fault in kubeadm-py itself: ZeroDivisionError: oops" in outcome.errors["a"].summary


def test_an_idle_host_is_done_at_once_where_others_are_busy():
    work = Work(a_host("a"), a_host("b"))

    def plan(hosts):
        return planner("join", busy=("b",))(hosts)

    work.executor.schedule([part("join", "a", "b", plan=plan)])
    assert {(event.host, event.changed) for event in work.of(HostDone)} == {("a", 0), ("b", 1)}
    assert len(work.of(StageDone)) == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_stop_begins_nothing_more_and_is_told_once(together):
    work = Work(a_host("a"), a_host("b"), a_host("never"))

    def stop(_call) -> Result:
        work.interrupt._stop(2, None)
        return DONE

    work.sessions["a"].host.answer("# stage prepare", stop)
    parts = [
        part("prepare", "a"),
        part("control", "a", "b", together=together, needs=("api",)),
        part("never", "never", provides=("api",), needs=("what never comes",)),
    ]
    outcome = work.executor.schedule(parts)
    assert ("control", "a") not in order(work)
    [error] = [each for each in outcome.all_errors() if "Ctrl-C" in each.summary]
    assert error.exit_code == 130


def test_no_more_scripts_at_once_than_the_limit():
    running, most = [0], [0]
    lock = threading.Lock()
    hosts = [a_host(f"h{number}") for number in range(6)]

    def answer(_call) -> Result:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        return DONE

    for host in hosts:
        host.answer("# stage", answer)
    work = Work(*hosts)
    work.executor.limit = 2
    work.executor.schedule([part("prepare", *(host.name for host in hosts))])
    assert most[0] == 2


GUARDED = lines("begin 0", "done 0 unchanged", "begin 1", "done 1 changed")
LOST = lines("begin 0", "done 0 unchanged", "begin 1", "failed 1 1", "output it did not work", code=1)


def guarding(stage: str, *, free=()):
    """Return a plan that changes what works on each host; the `free` ones are new."""

    def plan(hosts):
        act = RunScript("act", ":")
        plans = (
            HostPlan(name, (PlannedStep("step", "a step", (act,) if name in free else (Guard(()), act)),))
            for name in hosts
        )
        return Stage(stage, stage, tuple(plans))

    return plan


def rolled(*names: str, lost=(), **more) -> tuple[Work, Outcome, int]:
    """Roll through hosts; return also how many were at work at most."""
    running, most = [0], [0]
    lock = threading.Lock()

    def answer(_call, reply) -> Result:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.05)
        with lock:
            running[0] -= 1
        return reply

    hosts = [FakeHost(name) for name in names]
    for host in hosts:
        reply = LOST if host.name in lost else DONE if host.name in more.get("free", ()) else GUARDED
        host.answer("# stage", lambda call, reply=reply: answer(call, reply))
    work = Work(*hosts)
    plan = guarding("join", free=more.pop("free", ()))
    outcome = work.executor.schedule([part("join", *names, plan=plan, **more)])
    return work, outcome, most[0]


def test_what_works_is_changed_on_one_host_at_a_time():
    _, outcome, most = rolled("w1", "w2", "w3", "w4")
    assert most == 1
    assert outcome.changed == dict.fromkeys(("w1", "w2", "w3", "w4"), 1)


def test_once_the_first_has_gone_well_a_few_go_at_a_time():
    names = tuple(f"w{number}" for number in range(8))
    work, _, most = rolled(*names, at_once=3)
    assert most == 3
    first, second = [
        type(event).__name__ for event in work.events if isinstance(event, HostStarted | HostDone)
    ][:2]
    assert (first, second) == ("HostStarted", "HostDone"), "the first goes alone"


def test_after_one_that_failed_no_other_is_begun():
    _, outcome, _ = rolled("w1", "w2", "w3", lost=("w1", "w2", "w3"), at_once=3)
    assert len(outcome.errors) == 1
    assert len(outcome.left_out["join"]) == 2


def test_who_is_new_waits_for_nobodys_turn():
    _, outcome, most = rolled("w1", "w2", "w3", free=("w2", "w3"))
    assert most > 1
    assert len(outcome.changed) == 3


def test_a_change_that_failed_on_a_control_plane_reaches_no_worker():
    cp1, w1, w2 = a_host("cp1", control=FAILED), FakeHost("w1"), a_host("w2")
    w1.answer("# stage", GUARDED)
    work = Work(cp1, w1, w2)
    outcome = work.executor.schedule(
        [
            part("control", "cp1"),
            part("join", "w1", "w2", plan=guarding("join", free=("w2",)), after=("control",)),
        ]
    )
    assert order(work) == [("control", "cp1"), ("join", "w2")]
    assert outcome.left_out == {"join": ["w1"]}
