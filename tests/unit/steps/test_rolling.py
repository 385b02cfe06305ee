"""What is put around the steps that change a host which works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, Guard, RestartStaticPod, Settle, Unit, Wait, WriteFiles
from kubeadm_py.model.facts import Listener, UnitFact
from kubeadm_py.model.phases import Selection
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps import rolling
from tests.unit.steps.conftest import seen


@pytest.fixture
def working(control_plane):
    """A control plane whose kubelet runs and whose API server serves."""
    facts = replace(
        control_plane.facts,
        files={paths.KUBELET_CONF: seen(paths.KUBELET_CONF, b"x")},
        units={"kubelet.service": UnitFact("kubelet.service", "loaded", "active", "enabled")},
        listeners=(Listener("tcp", "0.0.0.0", 6443),),
    )
    return replace(control_plane, facts=facts)


def writing(step: str, *files: str) -> PlannedStep:
    return PlannedStep(step, step, (WriteFiles(tuple(FileSpec(path, b"new") for path in files)),))


def actions(ctx, *steps: PlannedStep) -> list:
    return [action for step in rolling.guarded(ctx, steps) for action in step.actions]


def test_what_reads_a_changed_kubeconfig_is_started_anew(working):
    found = actions(working, writing("kubeconfig", paths.CONTROLLER_MANAGER_CONF))
    assert [type(each) for each in found] == [Guard, WriteFiles, RestartStaticPod, Wait, Settle]
    guard, _, restart, wait, _ = found
    assert restart.component == "kube-controller-manager"
    assert wait.title == "wait for kube-controller-manager to be back"
    assert guard.files == (paths.CONTROLLER_MANAGER_CONF,)
    assert [type(each) for each in guard.recover] == [RestartStaticPod, Wait]


def test_an_administrators_kubeconfig_restarts_nothing(working):
    found = actions(working, writing("kubeconfig", paths.ADMIN_CONF))
    assert [type(each) for each in found] == [Guard, WriteFiles, Settle]


def test_the_kubelet_comes_after_the_static_pods(working):
    kubelet = PlannedStep("kubelet-start", "kubelet", (Unit("kubelet.service", state="restarted"),))
    found = actions(working, writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml"), kubelet)
    assert [type(each) for each in found] == [Guard, WriteFiles, Wait, Unit, Wait, Settle]


@pytest.mark.parametrize(
    "change",
    [
        {"listeners": ()},
        {"files": {}},
        {"files": {path: seen(path, b"x") for path in (paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF)}},
    ],
    ids=["no API server", "no member", "joining still"],
)
def test_where_nothing_works_there_is_nothing_to_go_back_to(working, change):
    ctx = replace(working, facts=replace(working.facts, **change))
    step = writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml")
    assert rolling.guarded(ctx, [step]) == (step,)


def test_phases_alone_write_and_wait_for_nothing(working):
    step = writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml")
    ctx = replace(working, phases=Selection(("control-plane",)))
    assert rolling.guarded(ctx, [step]) == (step,)
