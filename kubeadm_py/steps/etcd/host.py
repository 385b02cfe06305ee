"""Plan what is special about a host of role etcd: it runs a member of etcd, and is no node of the cluster."""

from __future__ import annotations

from kubeadm_py.model.actions import Action, Wait
from kubeadm_py.render import kubelet, probes
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.etcd import cluster as etcd_cluster

READY = "etcd"
"""What API servers wait for: most members answer."""


def plan_wait(ctx: StepContext) -> list[Action]:
    """Wait for the host's kubelet, and until its member agrees with the others."""
    local = ctx.cluster.etcd.local
    if local is None:
        return []
    timeouts = ctx.cluster.init_timeouts
    port = probes.etcd_clients(local, ctx.node).port
    healthz = kubelet.healthz_port(ctx.cluster, ctx.node, ctx.facts)
    until = f"""kpy_listens {port:04X} || {{ echo "etcd has not started"; return 1; }}
{etcd_cluster.functions(ctx.cluster, ctx.node, "", [ctx.node])}
answer=$(kpy_etcdctl "$own_client" endpoint health 2>&1) && return 0
echo "etcd does not agree with the others yet: $(kpy_last)"
return 1"""
    return [
        waits.kubelet_healthy(healthz, timeouts.kubelet_health_check),
        Wait(
            "wait for etcd",
            until,
            timeouts.control_plane_component_health_check,
            hopeless=waits.keeps_ending("etcd"),
            diagnose=waits.container_log("etcd"),
            logs=("etcd", "kubelet"),
        ),
    ]


STEP_WAIT = Step("etcd-host", "etcd", plan_wait, provides=READY)
