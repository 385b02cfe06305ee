"""Plan the wait for what the present nodes can run: ready means ready."""

from __future__ import annotations

from datetime import timedelta

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.addons.schema import POD_NETWORK
from kubeadm_py.model.actions import Action
from kubeadm_py.model.node import Role
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig
from kubeadm_py.steps.nodes import waits as node_waits
from kubeadm_py.steps.nodes.waits import Workload
from kubeadm_py.steps.objects.groups import COREDNS, KUBE_PROXY, addon_phase, marker_path, skipped

DEADLINE = timedelta(minutes=5)


def has_network(ctx: StepContext) -> bool:
    """Say whether the file brings the pod network, without which no node becomes Ready."""
    return any(POD_NETWORK in item.addon.provides for item in ctx.addons)


def expected(ctx: StepContext, *, with_workers: bool) -> tuple[list[Workload], list[Workload]]:
    """Return (what must become ready, what waits for a worker), by the file's add-ons.

    Without a pod network in the file nothing is awaited: whoever installs one later waits then. Nor is what
    init was told to skip.
    """
    if not has_network(ctx):
        return [], []
    ready: list[Workload] = []
    pending: list[Workload] = []
    if not ctx.cluster.proxy_disabled and not skipped(KUBE_PROXY, ctx.cluster):
        ready.append(Workload("DaemonSet", "kube-system", "kube-proxy"))
    if not ctx.cluster.dns.disabled and not skipped(COREDNS, ctx.cluster):
        ready.append(Workload("Deployment", "kube-system", "coredns"))
    for item in addons.readiness(ctx.addons):
        workload = Workload(item.kind, item.namespace, item.name)
        (pending if item.needs_worker and not with_workers else ready).append(workload)
    return ready, pending


def applied(ctx: StepContext) -> list[Workload]:
    """Return what init applied from this control plane (`ctx`) and what must be ready once there are workers.

    What was skipped, or what another tool brought, is not ours to wait for.
    """
    names = {
        "kube-proxy": KUBE_PROXY,
        "coredns": COREDNS,
        **{
            ready.name: addon_phase(item.addon.name)
            for item in ctx.addons
            for ready in addons.readiness([item])
        },
    }
    ready, pending = expected(ctx, with_workers=True)
    return [item for item in (*ready, *pending) if marker_path(names[item.name]) in ctx.facts.files]


def was_applied(item: ResolvedAddon, ctx: StepContext) -> bool:
    """Say whether an add-on was applied from this control plane."""
    return marker_path(addon_phase(item.name)) in ctx.facts.files


def schedulable_without_workers(ctx: StepContext) -> bool:
    """Say whether ordinary pods run on this control plane (its taints were taken off in the file)."""
    return ctx.node.role is Role.CONTROL_PLANE and not ctx.node.effective_taints


def plan(ctx: StepContext) -> list[Action]:
    """Wait for the add-ons' pods on the nodes that are there."""
    ready, _ = expected(ctx, with_workers=schedulable_without_workers(ctx))
    if not ready:
        return []
    server = f"https://{ctx.node.local_endpoint}"
    return [
        node_waits.workloads_ready("wait for network and DNS", ready, admin_kubeconfig(ctx), server, DEADLINE)
    ]


def plan_all(ctx: StepContext) -> list[Action]:
    """Wait until the whole cluster works: its control planes' nodes and the add-ons' pods."""
    if not has_network(ctx):
        return []
    untainted = any(not node.effective_taints for node in ctx.cluster.control_planes)
    workers = any(node.role is Role.WORKER for node in ctx.marked or ())
    ready, _ = expected(ctx, with_workers=workers or untainted)
    server, kubeconfig = f"https://{ctx.node.local_endpoint}", admin_kubeconfig(ctx)
    nodes = [node.name for node in ctx.cluster.control_planes]
    deadline = ctx.cluster.init_timeouts.kubelet_health_check
    return [
        node_waits.nodes_ready(nodes, kubeconfig, server, deadline),
        node_waits.workloads_ready("wait for network, DNS and storage", ready, kubeconfig, server, DEADLINE),
    ]


STEP_ALL = Step("all-ready", "nodes and add-ons", plan_all, leader=True)
STEP = Step("addons-ready", "network and DNS", plan, leader=True)
