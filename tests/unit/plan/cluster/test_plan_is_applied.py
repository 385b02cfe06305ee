"""What `plan` tells and what `apply` does are the same: one planner, asked twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kubeadm_py.model.actions import Action, Guard, Settle, Wait
from kubeadm_py.model.cluster import AddonRequest, LoadBalancer
from kubeadm_py.model.components import Arg, Component
from kubeadm_py.model.facts import Listener
from kubeadm_py.model.node import Role, Taint
from kubeadm_py.model.stages import Plan


def on_all_nodes(world, **changes: Any) -> dict[str, Any]:
    return {"nodes": tuple(replace(node, **changes) for node in world.cluster.nodes)}


EDITS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "nothing": lambda _: {},
    "extraArgs": lambda _: {"api_server": Component(extra_args=(Arg("v", "2"),))},
    "certSANs": lambda _: {"api_server_cert_sans": ("api.example",)},
    "the kubelet's config": lambda world: {"kubelet_config": {**world.cluster.kubelet_config, "maxPods": 99}},
    "kube-proxy's mode": lambda world: {
        "kube_proxy_config": {**world.cluster.kube_proxy_config, "mode": "nftables"}
    },
    "an add-on's parameters": lambda _: {"addons": (AddonRequest("flannel", {"backend": "host-gw"}),)},
    "labels": lambda world: on_all_nodes(world, labels={"disk": "ssd"}),
    "taints": lambda world: on_all_nodes(world, taints=(Taint("only", "NoSchedule"),)),
}


def actions(plan: Plan) -> dict[tuple[str, str], list[Action]]:
    """Return what is done by stage and host."""
    return {
        (stage.id, host.host): [action for step in host.steps for action in step.actions]
        for stage in plan.stages
        for host in stage.hosts
        if host.steps
    }


@pytest.fixture
def running(make_world):
    """Three control planes and two workers that serve."""
    world = make_world(control_planes=3, workers=2, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    for machine in world.machines.values():
        if machine.name.startswith("cp"):
            machine.facts = replace(machine.facts, listeners=(Listener("tcp", "0.0.0.0", 6443),))
    world.forget()
    return world


@pytest.mark.parametrize("name", EDITS)
def test_the_actions_of_an_edit_are_the_same_objects(name, running):
    running.cluster = replace(running.cluster, **EDITS[name](running))
    planned = running.apply(dry_run=True).plan
    assert not any(machine.stages for machine in running.machines.values()), "a plan touches nothing"
    running.forget()
    report = running.apply()
    assert actions(report.plan) == actions(planned)
    assert (report.changed > 0) is (name != "nothing")


def told(plan: Plan) -> set[tuple[str, str, str]]:
    """Return what changes hosts or the cluster, without what waits and what keeps the way back."""
    return {
        (host, type(action).__name__, getattr(action, "title", "") or str(action))
        for (_, host), each in actions(plan).items()
        for action in each
        if not isinstance(action, Wait | Guard | Settle)
    }


SHAPES: dict[str, dict[str, Any]] = {
    "stacked": {"control_planes": 3, "workers": 2, "control_plane_endpoint": "10.0.0.11:6443"},
    "etcd apart": {
        "control_planes": 2,
        "workers": 1,
        "etcd_hosts": 3,
        "control_plane_endpoint": "10.0.0.11:6443",
    },
    "node-local": {
        "control_planes": 3,
        "workers": 1,
        "control_plane_endpoint": "api.demo.internal:6443",
        "load_balancer": LoadBalancer.NODE_LOCAL,
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_of_a_new_cluster_what_is_done_is_what_was_planned(shape, make_world):
    world = make_world(**shape)
    planned = told(world.apply(dry_run=True).plan)
    world.forget()
    assert told(world.apply().plan) == planned


def test_of_a_cluster_that_grows_and_moves_what_is_done_is_what_was_planned(make_world):
    world = make_world(control_planes=3, workers=2)
    whole = replace(
        world.cluster,
        control_plane_endpoint="api.demo.internal:6443",
        load_balancer=LoadBalancer.NODE_LOCAL,
    )
    first = world.cluster.control_planes[0]
    small = tuple(node for node in world.cluster.nodes if node.role is Role.WORKER or node is first)
    world.apply(cluster=replace(world.cluster, nodes=small))
    cp1 = world.machines["cp1"]
    cp1.facts = replace(cp1.facts, listeners=(Listener("tcp", "10.0.0.11", 6443),))
    world.forget()
    planned = told(world.apply(cluster=whole, dry_run=True).plan)
    world.forget()
    assert told(world.apply(cluster=whole).plan) == planned
