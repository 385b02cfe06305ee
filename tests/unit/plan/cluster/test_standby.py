"""What founders of a cluster do last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.actions import RunScript
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.plan.build import build_stage
from kubeadm_py.plan.cluster import standby
from kubeadm_py.plan.workflows import StageDefinition
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.kubelet import finalize

IDLE = {static_pods.STEP_FOLLOWING.id, control_plane_waits.STEP_OTHERS.id}


@pytest.fixture
def cluster() -> ResolvedCluster:
    nodes = [Node(f"cp{i}", Role.CONTROL_PLANE, (f"10.0.0.1{i}",)) for i in (1, 2, 3)]
    return ResolvedCluster("demo", Version.parse("v1.36.3"), tuple(nodes))


def test_the_others_stand_by_and_their_kubelets_start_anew_last(cluster):
    assert standby.later(cluster, cluster.nodes, "cp1") == {
        "cp2": {finalize.STEP.id, *IDLE},
        "cp3": {finalize.STEP.id, *IDLE},
    }


def test_who_has_an_api_server_already_leaves_nothing_for_later(cluster):
    assert standby.later(cluster, cluster.nodes[2:], "cp1").keys() == {"cp3"}


def test_kubelets_that_ask_for_their_serving_certificates_start_anew_before_those_are_looked_for(cluster):
    asking = replace(cluster, kubelet_config={"serverTLSBootstrap": True})
    assert standby.later(asking, cluster.nodes, "cp1") == {"cp2": IDLE, "cp3": IDLE}


def test_a_step_is_done_once_in_the_stage_where_it_is_due(cluster):
    step = Step("s", "s", lambda ctx: [RunScript("do it", "true")])
    early = StageDefinition("early", "early", (step,))
    late = StageDefinition("late", "late", (step,), postponed=True)
    ctx = StepContext(cluster, cluster.nodes[0], HostFacts(), "apply", None)

    def planned(ctx: StepContext) -> list[int]:
        return [len(build_stage(stage, [ctx]).hosts[0].steps) for stage in (early, late)]

    assert planned(ctx) == [1, 0]
    assert planned(replace(ctx, later=frozenset({"s"}))) == [0, 1]
