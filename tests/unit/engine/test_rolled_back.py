"""What is told of a host on which a change did not work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kubeadm_py.engine.events import HostProgress
from kubeadm_py.engine.markers import RolledBackError
from kubeadm_py.errors import ExitCode
from kubeadm_py.model.actions import Guard, Wait
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.transport.fake import FakeHost
from tests.unit.engine.test_execute import Work, lines

WAIT = Wait("wait for kube-apiserver to be replaced", ":", timedelta(seconds=9), logs=("kube-apiserver",))


def failed(*said: str) -> tuple[RolledBackError, Work]:
    host = FakeHost("cp1")
    host.answer("# stage", lines("begin 0", "done 0 unchanged", "begin 1", *said, code=1))
    work = Work(host)
    plan = HostPlan("cp1", (PlannedStep("rolling", "a step", (Guard(("/etc/f",)), WAIT)),))
    with pytest.raises(RolledBackError) as caught:
        work.executor.run(Stage("control", "control", (plan,))).raise_first()
    return caught.value, work


def test_component_why_and_that_the_host_is_as_before():
    error, work = failed(
        "failed 1 10",
        "output kube-apiserver cannot run: it ended 3 times",
        "output kube-apiserver says:",
        "output   Error: invalid argument",
        "rolling-back",
        "rolled-back",
    )
    assert str(error) == (
        "cp1: wait for kube-apiserver to be replaced: kube-apiserver cannot run: it ended 3 times"
    )
    assert error.details == (
        "kube-apiserver says:",
        "  Error: invalid argument",
        "cp1 is as before: what was there is put back, and it works again",
    )
    assert error.fix == (
        "look: kubeadm-py logs kube-apiserver --host cp1\ncorrect the config and run the same command again"
    )
    assert "putting back" in work.of(HostProgress)[-1].message


def test_a_wait_that_ran_out_failed_the_run_too():
    error, _ = failed("note etcd is not ready", "failed 1 9", "output etcd", "rolling-back", "rolled-back")
    assert "not within 9s; etcd is not ready" in error.summary
    assert error.exit_code is ExitCode.FAILED, "the host was put back: no waiting would help"


def test_what_is_waited_for_while_putting_back_is_told_as_that_and_not_as_why_it_failed():
    error, work = failed(
        "note etcd is not ready",
        "failed 1 9",
        "output etcd",
        "rolling-back",
        "note etcd has not started",
        "rolled-back",
    )
    assert "not within 9s; etcd is not ready" in error.summary
    assert [event.message for event in work.of(HostProgress)][-2:] == [
        "putting back what was there: not within 9s; etcd is not ready",
        "putting back: etcd has not started",
    ]


def test_a_host_that_could_not_be_put_back():
    error, _ = failed(
        "failed 1 1", "output no", "rolling-back", "not-rolled-back", "output kube-apiserver does not run"
    )
    assert error.details[-2:] == (
        "cp1 is NOT as before: putting back what was there failed",
        "kube-apiserver does not run",
    )
    assert "/var/lib/kubeadm-py/kept" in error.fix


def test_a_connection_that_is_lost_while_putting_back():
    error, _ = failed("failed 1 1", "output no", "rolling-back")
    assert "NOT as before" in error.details[-1]
