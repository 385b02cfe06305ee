"""How a run is framed: its first and last events, its errors, its exit code, its locks."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.engine.events import Failed, Found, HostDone, Notice, RunDone, RunStarted, StageDone, Timing
from kubeadm_py.engine.interrupt import InterruptedRunError
from kubeadm_py.errors import (
    ExitCode,
    HostKeyError,
    KubeadmPyError,
    LockedError,
    PreflightError,
    UnreachableError,
    WaitTimeoutError,
)
from kubeadm_py.model.actions import Wait
from kubeadm_py.model.findings import Finding, Severity
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.plan import run as runs
from kubeadm_py.plan.run import STOPPING, RunFailedError, running
from kubeadm_py.transport.base import Result


def test_a_run_that_works(world):
    run = world.a_run("init")
    with running(run, hosts=run.cluster.control_planes, source="a bundle") as end:
        run.look(run.cluster.control_planes)
        run.changed = 3
        end.verdict = "the control plane on cp1 is up"
        end.next = ("kubectl get nodes",)
    first, last = world.events[0], world.events[-1]
    assert isinstance(first, RunStarted)
    assert (first.verb, first.cluster, first.version, first.source) == ("init", "demo", "v1.36.3", "a bundle")
    assert [(host.name, host.role) for host in first.hosts] == [("cp1", "control-plane")]
    assert isinstance(last, RunDone)
    assert (last.verdict, last.exit_code, last.changed) == ("the control plane on cp1 is up", 0, 3)
    assert last.next == ("kubectl get nodes",)
    assert [(timing.stage, timing.host) for timing in last.timings] == [("look", "cp1")]
    assert [call.kind for call in world.machines["cp1"].calls] == ["connect", "hold", "release", "close"]
    assert run.sessions == {}


def test_a_host_that_gets_its_name_from_what_is_found_has_one_name_in_the_times(world):
    """Without a config the machine's own name is known once it was looked at."""
    run = world.a_run("init")
    with running(run, hosts=run.cluster.control_planes):
        run.look(run.cluster.control_planes)
        nodes = tuple(replace(node, name=f"{node.name}-found") for node in run.cluster.nodes)
        run.use(replace(run.cluster, nodes=nodes))
        run.timings.append(Timing("control", nodes[0].name, 1.0))
    [done] = world.event(RunDone)
    assert {timing.host for timing in done.timings} == {"cp1-found"}


def test_an_error_is_told_once_and_goes_on(world):
    run = world.a_run("init")
    with pytest.raises(KubeadmPyError) as caught, running(run, hosts=run.cluster.control_planes):
        raise PreflightError("refused", host="cp1", details=["why"], fix="mend it")
    assert caught.value.told
    [failed] = world.event(Failed)
    assert (failed.summary, failed.host, failed.details, failed.fix) == (
        "refused",
        "cp1",
        ("why",),
        "mend it",
    )
    [done] = world.event(RunDone)
    assert done.exit_code == 3
    assert [(cause.exit_code, cause.host, cause.summary) for cause in done.causes] == [(3, "cp1", "refused")]


def test_a_file_of_this_machine_that_a_hosts_connection_needs_is_that_hosts_failure(world, monkeypatch):
    def refused(*_arguments, **_options):
        raise PermissionError(13, "Permission denied", "/home/jane/key")

    monkeypatch.setattr(runs, "open_session", refused)
    run = world.a_run("init")
    with pytest.raises(RunFailedError, match="cp1: /home/jane/key cannot be used: Permission denied"):
        run.look(run.cluster.control_planes)
    [done] = world.event(HostDone)
    assert done.error == "/home/jane/key cannot be used: Permission denied"


def test_a_fault_of_ours_is_no_success(world):
    run = world.a_run("init")
    run.look(run.cluster.control_planes)
    with pytest.raises(ZeroDivisionError), running(run, hosts=run.cluster.control_planes):
        raise ZeroDivisionError("oops")
    [done] = world.event(RunDone)
    assert done.exit_code == 1
    assert world.machines["cp1"].calls[-1].kind == "close", "locks are freed whatever happens"


def test_causes_of_several_hosts(world):
    errors = [
        WaitTimeoutError("ran out", host="a"),
        KubeadmPyError("failed", host="b"),
        UnreachableError("gone", host="c"),
        HostKeyError("changed", host="d"),
    ]
    run = world.a_run("join")
    with pytest.raises(RunFailedError) as caught, running(run, hosts=run.cluster.workers):
        raise RunFailedError(errors)
    assert caught.value.exit_code is ExitCode.HOST_KEY
    assert str(caught.value) == "a: ran out"
    assert [event.host for event in world.event(Failed)] == ["a", "b", "c", "d"]
    [done] = world.event(RunDone)
    assert [cause.exit_code for cause in done.causes] == [9, 1, 7, 8]


def test_every_host_that_cannot_be_reached_is_named(make_world):
    world = make_world(workers=3)
    world.machines["w1"].unreachable = UnreachableError("no route to host")
    world.machines["w3"].unreachable = HostKeyError("its key has changed")
    run = world.a_run("join")
    with pytest.raises(RunFailedError) as caught:
        run.look(run.cluster.workers)
    assert [str(error) for error in caught.value.errors] == [
        "w1: no route to host",
        "w3: its key has changed",
    ]
    assert caught.value.exit_code is ExitCode.HOST_KEY
    assert list(run.sessions) == ["w2"]
    done = {event.host: event.error for event in world.event(HostDone)}
    assert done == {"w1": "no route to host", "w2": "", "w3": "its key has changed"}
    [stage] = world.event(StageDone)
    assert not stage.ok
    assert not stage.summary
    run.look(run.cluster.control_planes)
    assert world.event(StageDone)[-1].summary == "1 host reached"
    run.close()
    assert world.machines["w2"].calls[-1].kind == "close"


class TestRunsThatBeginTogether:
    """Each has taken some of the hosts; w1 stands for the first of its own, w2 for another."""

    @pytest.fixture(autouse=True)
    def _hasten(self, monkeypatch):
        monkeypatch.setattr(runs, "CONTEND_SECONDS", 0.5)
        monkeypatch.setattr(runs, "_CONTEND_EVERY_SECONDS", 0.05)

    @staticmethod
    def locked(machine):
        machine.unreachable = LockedError("locked: another")

    def test_the_one_that_has_the_first_host_goes_on(self, make_world):
        world = make_world(workers=2)
        self.locked(world.machines["w2"])
        run = world.a_run("join")

        def free(event):
            if isinstance(event, HostDone) and event.error:
                world.machines["w2"].unreachable = None

        run.bus.subscribe(free)
        run.look(run.cluster.workers)
        assert sorted(run.sessions) == ["w1", "w2"]
        run.close()

    def test_the_other_one_ends_at_once(self, make_world, monkeypatch):
        monkeypatch.setattr(runs, "CONTEND_SECONDS", 60.0)
        world = make_world(workers=2)
        self.locked(world.machines["w1"])
        run = world.a_run("join")
        with pytest.raises(RunFailedError, match="w1: locked: another"):
            run.look(run.cluster.workers)
        assert len(world.event(HostDone)) == 2

    def test_a_run_that_keeps_its_hosts_is_not_waited_for_longer(self, make_world):
        world = make_world(workers=2)
        self.locked(world.machines["w2"])
        run = world.a_run("join")
        with pytest.raises(RunFailedError, match="w2: locked: another") as caught:
            run.look(run.cluster.workers)
        assert caught.value.exit_code is ExitCode.LOCKED
        run.close()


def test_hosts_are_looked_at_once(world):
    run = world.a_run("init")
    run.look(run.cluster.control_planes)
    run.look(run.cluster.control_planes)
    assert world.machines["cp1"].trips == ["hold"]
    run.close()


def test_a_look_says_that_another_run_is_under_way(world, monkeypatch):
    opened = runs.open_session

    def open_while_another_runs(*arguments, **options):
        session = opened(*arguments, **options)
        session.under_way = "kubeadm-py init by me@here since 2026-01-01 00:00:00 UTC"
        return session

    monkeypatch.setattr(runs, "open_session", open_while_another_runs)
    run = world.a_run("preflight")
    run.look(run.cluster.control_planes, lock=False)
    [notice] = world.event(Notice)
    assert (notice.level, notice.host) == ("warning", "cp1")
    assert notice.text.startswith("a run is under way: kubeadm-py init by me@here since 2026-01-01")
    run.close()


def test_after_a_stop_nothing_is_looked_at(world):
    run = world.a_run("init")
    run.interrupt._stop(2, None)
    with pytest.raises(KubeadmPyError, match="nothing new was begun"):
        run.look(run.cluster.control_planes)
    assert world.machines["cp1"].calls == []


def test_errors_of_findings_are_left_to_the_refusal(world):
    run = world.a_run("init")
    run.report_findings(
        [
            Finding("NumCPU", Severity.ERROR, "cp1", "one"),
            Finding("Swap", Severity.WARNING, "cp1", "on", "swapoff -a", ignored=True),
        ]
    )
    [found] = world.event(Found)
    assert (found.check, found.ignored, found.fix) == ("Swap", True, "swapoff -a")


def test_a_lock_that_cannot_be_freed_stops_nothing(world, monkeypatch):
    run = world.a_run("init")
    run.look(run.cluster.control_planes)
    held = run.sessions["cp1"].held

    def lost() -> None:
        raise LockedError("lost")

    monkeypatch.setattr(type(held), "release", lambda self: lost())
    run.close()
    assert run.sessions == {}
    assert world.machines["cp1"].calls[-1].kind == "close"


def test_a_stop_is_acknowledged_and_graver_than_what_fails_because_of_it(world):
    run = world.a_run("init")
    acknowledged = threading.Event()
    run.bus.subscribe(lambda event: acknowledged.set() if isinstance(event, Notice) else None)

    def work():
        with running(run, hosts=run.cluster.control_planes):
            run.interrupt._stop(signal.SIGINT, None)
            assert acknowledged.wait(10)
            raise UnreachableError("the connection was lost", host="cp1")

    with pytest.raises(UnreachableError) as caught:
        work()
    assert caught.value.exit_code == ExitCode.INTERRUPTED
    [notice] = world.event(Notice)
    assert notice.text == STOPPING
    [done] = world.event(RunDone)
    assert done.exit_code == 130
    assert done.verdict == f"{run.verb} was stopped by Ctrl-C"
    assert [(cause.exit_code, cause.host) for cause in done.causes] == [(130, ""), (7, "cp1")]
    assert [failed.exit_code for failed in world.event(Failed)] == [130, 7]


def test_a_stop_that_is_told_already_is_told_once(world):
    run = world.a_run("init")

    def work():
        with running(run, hosts=run.cluster.control_planes):
            run.interrupt._stop(signal.SIGINT, None)
            run.interrupt.check()

    with pytest.raises(InterruptedRunError):
        work()
    [done] = world.event(RunDone)
    assert [cause.exit_code for cause in done.causes] == [130]


@pytest.mark.parametrize(
    ("ssh", "typed"),
    [
        (SSH("10.0.0.1"), "kubeadm-py logs etcd --config c.yaml --host cp1"),
        (SSH("10.0.0.1", "root", 2222, flag="root@10.0.0.1:2222"), "--host root@10.0.0.1:2222"),
        (None, "kubeadm-py logs etcd"),
    ],
)
def test_who_fails_names_the_command_that_reads_the_log_of_its_component(world, ssh, typed):
    """By the name in the file, by what --host says, or on this very machine."""
    run = world.a_run("init")
    run.look(run.cluster.control_planes)
    session = run.sessions["cp1"]
    session.node = replace(session.node, ssh=ssh)
    world.machines["cp1"].answer("# stage", Result(1, b"##kubeadm-py failed 0 9\n", b""))
    wait = Wait("wait for etcd", ":", timedelta(seconds=1), logs=("etcd",))
    plan = HostPlan("cp1", (PlannedStep("etcd", "etcd", (wait,)),))
    result = run.executor({}, lambda _: (0, ())).run(Stage("control", "control", (plan,)))
    assert result.errors["cp1"].fix.endswith(typed)
