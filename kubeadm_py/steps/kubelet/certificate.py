"""A kubelet's client certificate: lay one down as a kubelet keeps its own, and replace one that has ended."""

from __future__ import annotations

import shlex
from datetime import datetime

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Late, RunScript, Unit, WriteFiles
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import expiry
from kubeadm_py.pki.requests import CertificateRequest, kubeconfig_requests
from kubeadm_py.render import kubelet
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import StepContext

PRODUCER = "kubelet-client-certificate"
"""Its Late.args is the request; its content is certificate and key in one, as the kubelet keeps them."""
UNIT = "kubelet.service"


def dated(node: Node, now: datetime, content: Late) -> FileSpec:
    """Describe the file that holds a certificate and its key from `now` on."""
    folder, _, name = node.kubelet_client_certificate.rpartition("/")
    return FileSpec(
        f"{folder}/{name.replace('current', f'{now:%Y-%m-%d-%H-%M-%S}')}", content, 0o600, secret=True
    )


def link(node: Node, spec: FileSpec, reason: str) -> Action:
    """Let the kubelet find it under the name that its kubeconfig has."""
    target, current = spec.path.rpartition("/")[2], node.kubelet_client_certificate
    return RunScript(
        "the kubelet's current certificate",
        f"ln -sfn {shlex.quote(target)} {shlex.quote(current)}",
        reason=reason,
    )


def successor(ctx: StepContext) -> CertificateRequest | None:
    """Return what to sign for a control plane's kubelet whose own certificate has ended: it cannot ask."""
    ended = expiry.kubelets_end(ctx.node, ctx.facts.files, ctx.now)
    if ctx.node.role is not Role.CONTROL_PLANE or ended is None:
        return None
    listed = kubeconfig_requests(ctx.cluster, ctx.node)
    return next(each.certificate for each in listed if each.path == paths.KUBELET_CONF)


def plan(ctx: StepContext, request: CertificateRequest) -> list[Action]:
    """Lay the successor down and have the kubelet start with it."""
    reason = "it has ended: the kubelet does not start with it"
    spec = dated(ctx.node, ctx.now, Late(PRODUCER, request.describe(), request))
    port = kubelet.healthz_port(ctx.cluster, ctx.node, ctx.facts)
    return [
        WriteFiles((spec,), reason=reason, title="the kubelet's client certificate"),
        link(ctx.node, spec, reason),
        Unit(UNIT, state="restarted", reason="it has a new certificate"),
        waits.kubelet_healthy(port, ctx.timeouts.kubelet_health_check),
    ]
