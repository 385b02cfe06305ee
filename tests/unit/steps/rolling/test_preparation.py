"""What is put around a change of a working host's runtime and of the kubelet's program."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, Guard, RunScript, Settle, Unit, Wait, WriteFiles
from kubeadm_py.model.facts import UnitFact
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps.rolling import preparation as rolling_preparation
from tests.unit.steps.conftest import seen

SYSCTLS = PlannedStep("prepare/sysctls", "x", (RunScript("sysctls", "true"),))
CONTAINERD = PlannedStep(
    "prepare/runtime",
    "x",
    (
        WriteFiles((FileSpec(paths.CONTAINERD_CONFIG, b"new"),)),
        Unit("containerd.service", "restarted"),
        Wait("wait for containerd", "true", timedelta(seconds=1)),
    ),
)
KUBELET = PlannedStep(
    "prepare/kubelet",
    "x",
    (WriteFiles((FileSpec(paths.KUBELET_UNIT, b"new"),)), Unit("kubelet.service", "restarted")),
)
CRICTL = PlannedStep("prepare/crictl", "x", (WriteFiles((FileSpec(paths.CRICTL_CONFIG, b"new"),)),))


@pytest.fixture
def worker(control_plane):
    node = Node("w1", Role.WORKER, ("10.0.0.21",))
    facts = replace(
        control_plane.facts,
        files={paths.KUBELET_CONF: seen(paths.KUBELET_CONF, b"x")},
        units={"kubelet.service": UnitFact("kubelet.service", "loaded", "active", "enabled")},
    )
    cluster = replace(control_plane.cluster, nodes=(*control_plane.cluster.nodes, node))
    return replace(control_plane, cluster=cluster, node=node, facts=facts)


def actions(ctx, *steps: PlannedStep) -> list:
    return [action for step in rolling_preparation.guarded(ctx, steps) for action in step.actions]


def test_a_changed_runtime_can_go_back_and_has_to_stay_up(worker):
    found = actions(worker, SYSCTLS, CRICTL, CONTAINERD)
    assert [type(each) for each in found] == [
        *(RunScript, Guard, WriteFiles, WriteFiles, Unit, Wait),
        *(Wait, Wait, Wait, Settle),
    ]
    guard = found[1]
    assert guard.name == "preparation"
    assert guard.files == (paths.CRICTL_CONFIG, paths.CONTAINERD_CONFIG)
    assert [getattr(each, "title", "") or each.name for each in guard.recover] == [
        "containerd.service",
        "wait for containerd",
        "wait whether containerd stays up",
        "wait for the kubelet to be back",
    ]


def test_a_changed_kubelet_can_go_back(worker):
    found = actions(worker, KUBELET)
    assert [type(each) for each in found] == [Guard, WriteFiles, Unit, Wait, Settle]
    assert [type(each) for each in found[0].recover] == [Unit, Wait]
    assert found[0].recover[0].daemon_reload


@pytest.mark.parametrize("step", [SYSCTLS, CRICTL], ids=["the kernel", "no service"])
def test_what_starts_nothing_anew_needs_no_guard(worker, step):
    assert rolling_preparation.guarded(worker, [step]) == (step,)


def test_a_host_that_is_no_member_yet_has_nothing_to_go_back_to(worker):
    bare = replace(worker, facts=replace(worker.facts, files={}))
    assert rolling_preparation.guarded(bare, [CONTAINERD, KUBELET]) == (CONTAINERD, KUBELET)


def test_what_a_killed_run_wrote_is_read_by_who_runs_now(worker):
    path = paths.kept_list("preparation")
    left = seen(path, f"kept {paths.CONTAINERD_CONFIG}\nkept {paths.INVENTORY}\n".encode())
    ctx = replace(worker, facts=replace(worker.facts, files={**worker.facts.files, path: left}))
    found = actions(ctx)
    assert found[0].files == (paths.CONTAINERD_CONFIG,)
    assert [each.name for each in found if isinstance(each, Unit)] == [
        "containerd.service",
        "kubelet.service",
    ]
    assert isinstance(found[-1], Settle)
