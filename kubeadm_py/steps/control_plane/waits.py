"""Plan the waits for a control plane (kubeadm's phase wait-control-plane)."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.model.actions import Action
from kubeadm_py.render import kubelet, probes
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.control_plane import static_pods

_BESIDE_SECONDS = 1.0
"""How often an API server that begins beside a cluster's first is asked: nobody waits for it, and each answer
takes the processor from all that begin."""


def plan(ctx: StepContext) -> list[Action]:
    """Wait until this host's kubelet runs and its API server is ready: then objects can be written."""
    deadline = ctx.timeouts.control_plane_component_health_check
    local = ctx.cluster.etcd.local
    etcd = probes.etcd_clients(local, ctx.node) if local is not None else None
    api_server = waits.api_server(ctx.node, deadline, ctx.cluster.certificates_dir, etcd)
    if ctx.first is not None and static_pods.begins(ctx.facts):
        api_server = replace(api_server, interval=_BESIDE_SECONDS)
    if ctx.joined is not None:
        return [api_server]
    # Of no use where the host joins: its kubelet needs this API server to get its certificate.
    port = kubelet.healthz_port(ctx.cluster, ctx.node, ctx.facts)
    return [waits.kubelet_healthy(port, ctx.timeouts.kubelet_health_check), api_server]


def plan_others(ctx: StepContext) -> list[Action]:
    """Wait for controller manager and scheduler: nothing else needs them, so they are asked last."""
    deadline = ctx.timeouts.control_plane_component_health_check
    return [
        waits.component_healthy(ctx.node, component, probe, path, deadline, ctx.cluster.certificates_dir)
        for component, probe, path in (
            ("kube-controller-manager", probes.kube_controller_manager(ctx.cluster), "/healthz"),
            ("kube-scheduler", probes.kube_scheduler(ctx.cluster), "/livez"),
        )
    ]


STEP = Step("wait-control-plane", "API server", plan, phase="wait-control-plane")
STEP_OTHERS = Step(
    "wait-components", "controller manager and scheduler", plan_others, phase="wait-control-plane"
)
