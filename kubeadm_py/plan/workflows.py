"""List every workflow's stages and steps, top to bottom: the whole story of a verb on one page."""

from __future__ import annotations

from dataclasses import dataclass

from kubeadm_py.engine.events import StageAhead, StagesAhead
from kubeadm_py.steps import (
    addons_ready,
    applied,
    certs,
    cluster_objects,
    kubeconfigs,
    kubelet_bootstrap,
    kubelet_finalize,
    kubelet_start,
    mark_node,
    static_pods,
    wait_control_plane,
)
from kubeadm_py.steps.base import Step
from kubeadm_py.steps.prepare import workflow as prepare


@dataclass(frozen=True, slots=True)
class StageDefinition:
    """Name a stage and its steps, in their order."""

    id: str
    title: str
    steps: tuple[Step, ...]


def ahead(*stages: StageDefinition) -> StagesAhead:
    """Return the event that says which stages a run has before it."""
    return StagesAhead(tuple(StageAhead(stage.id, stage.title) for stage in stages))


PREPARE = StageDefinition("prepare", "runtime, kubelet, images", prepare.STEPS)

CONTROL_PLANE = StageDefinition(
    "control",
    "control plane, add-ons",
    (
        prepare.DIRECTORIES,
        certs.STEP,
        kubeconfigs.STEP,
        static_pods.STEP_ETCD,
        static_pods.STEP,
        kubelet_start.STEP,
        wait_control_plane.STEP,
        cluster_objects.STEP,
        mark_node.STEP,
        applied.STEP,
        kubelet_finalize.STEP,
        wait_control_plane.STEP_OTHERS,
        addons_ready.STEP,
    ),
)

JOIN_WORKER = StageDefinition(
    "join",
    "kubelet joins the cluster",
    (
        prepare.DIRECTORIES,
        kubelet_start.STEP,
        kubelet_bootstrap.STEP,
    ),
)

JOINED = StageDefinition("ready", "labels, add-ons", ())
"""What the control plane does for hosts that have joined; plan.join knows its actions."""
