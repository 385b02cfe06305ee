"""Plan what a control plane does once new nodes are there: labels, the token's end, what waited for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.node import Role
from kubeadm_py.plan.certificates import kubelet_requests
from kubeadm_py.plan.joining import leader as leaders
from kubeadm_py.plan.joining.leader import Leader
from kubeadm_py.plan.run import Run
from kubeadm_py.steps.addons import custom_resources
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.kubelet import serving as kubelet_serving
from kubeadm_py.steps.nodes import mark as mark_node
from kubeadm_py.steps.nodes import waits as node_waits


def actions(
    run: Run, leader: Leader, names: Sequence[str], resolved: tuple[ResolvedAddon, ...], now: datetime
) -> list[Action]:
    """Return what the leader does for the hosts of these names, which have joined."""
    session = leader.session
    server = f"https://{session.node.local_endpoint}"
    # A control plane has marked itself, through its own API server; and its taint keeps pods away.
    workers = [name for name in names if run.sessions[name].node.role is not Role.CONTROL_PLANE]
    wanted = {name: mark_node.joining(run.cluster.node(name)) for name in workers}
    deadline = run.cluster.join_timeouts.kubernetes_api_call
    planned: list[Action] = mark_node.mark(wanted, paths.ADMIN_CONF, server, deadline)
    if leader.token is not None:
        planned.append(
            RunScript(
                "delete this join's token",
                leaders.deletion(leader.token_id),
                reason="it was minted for this join",
            )
        )
    ctx = StepContext(run.cluster, session.node, session.facts, "join", now, addons=resolved)
    planned += _approvals(run, leader, names, ctx)
    ready = addons_ready.applied(ctx)
    if ready and workers:
        planned.append(
            node_waits.workloads_ready(
                "wait for network, DNS and storage",
                ready,
                paths.ADMIN_CONF,
                server,
                addons_ready.DEADLINE,
            )
        )
    if workers:
        # What init applied waits for its controllers, and they for a worker.
        begun = tuple(item for item in resolved if addons_ready.was_applied(item, ctx))
        present = tuple(run.cluster.node(name) for name in workers)
        planned += custom_resources.plan(replace(ctx, addons=begun, marked=present))
    return planned


def _approvals(run: Run, leader: Leader, names: Sequence[str], ctx: StepContext) -> list[Action]:
    """Approve what new kubelets ask to serve with; the cluster is asked for it now."""
    if not kubelet_serving.asks_the_cluster(run.cluster):
        return []
    new = [name for name in names if kubelet_requests.is_new(run.cluster, run.sessions[name])]
    if not new:
        return []
    approved = kubelet_requests.awaited(run, leader.session.host, new, cluster=run.cluster)
    return kubelet_serving.approve(approved, ctx)
