"""Plan the kubelet's files and its start (kubeadm's phase kubelet-start)."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Late, Unit, WriteFiles
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Role
from kubeadm_py.pki.node_request import GROUP, user_of
from kubeadm_py.render import kubelet
from kubeadm_py.steps.base import Step, StepContext, differing, write
from kubeadm_py.steps.kubelet import certificate as kubelet_certificate

BOOTSTRAP_PRODUCER = "bootstrap-kubeconfig"
"""Its Late.args is the JoinedCluster."""
KUBECONFIG_PRODUCER = "joined-kubelet-kubeconfig"
CERTIFICATE_PRODUCER = "joined-kubelet-certificate"
"""Their Late.args are the JoinedCluster, whose kubelet_credentials name the node, and the Node."""
UNIT = kubelet_certificate.UNIT


def plan(ctx: StepContext) -> list[Action]:
    """Write flags, instance config and config, then start the kubelet, or restart it if any differs."""
    joining = ctx.joined is not None
    files = kubelet.node_files(ctx.cluster, ctx.node, ctx.facts, joining=joining)
    actions: list[Action] = []
    if joining:
        actions += _credentials(ctx)
    changed = differing(files, ctx.facts)
    actions += write(files, ctx.facts, title="kubelet configuration", reason="missing or changed")
    unit = ctx.facts.units.get(UNIT)
    running = unit is not None and unit.active_state == "active"
    if actions or not running:
        # A kubelet of the package may be looping without its config: `restart` covers both cases.
        reason = "its files changed" if changed and running else "it is not running"
        enabled = unit is not None and unit.enabled == "enabled"
        # Enabling costs a reload of all units, even where nothing changes.
        actions.append(Unit(UNIT, state="restarted", enabled=None if enabled else True, reason=reason))
    return actions


def _credentials(ctx: StepContext) -> list[Action]:
    """Give a joining kubelet the CA and what it logs in with, unless it is a member already."""
    if paths.KUBELET_CONF in ctx.facts.files:
        return []
    joined: JoinedCluster = ctx.joined
    control_plane = ctx.node.role is Role.CONTROL_PLANE
    if control_plane:
        # Its kubelet speaks to its own API server only, from the first day (kubeadm contract 1.2).
        joined = replace(joined, server=f"https://{ctx.node.local_endpoint}")
    authority = differing(
        [
            FileSpec(path, joined.ca_pem, 0o644, of_cluster=True)
            for path in _authority_paths(ctx)
            if not control_plane or joined.shared_file(path) is None
        ],
        ctx.facts,
    )
    if ctx.node.name in joined.kubelet_credentials:
        return _signed_already(ctx, joined, authority)
    late = Late(BOOTSTRAP_PRODUCER, {"kubeconfig": "bootstrap-kubelet.conf"}, joined)
    files = [*authority, FileSpec(paths.BOOTSTRAP_KUBELET_CONF, late, 0o600, secret=True)]
    return [
        WriteFiles(tuple(files), reason="the kubelet asks the cluster for a certificate", title="credentials")
    ]


def _authority_paths(ctx: StepContext) -> list[str]:
    """Return where the CA goes: caCertPath, and where the cluster's kubelets look for who calls them.

    kubeadm knows the first alone: where a cluster has a certificatesDir of its own, no kubelet starts then.
    """
    live = ctx.joined.cluster_configuration.get("certificatesDir")
    own = f"{live}/ca.crt" if isinstance(live, str) and live.startswith("/") else ctx.cluster.ca_cert_path
    return list(dict.fromkeys([ctx.cluster.ca_cert_path, own]))


def _signed_already(ctx: StepContext, joined: JoinedCluster, authority: list[FileSpec]) -> list[Action]:
    """Lay the certificate down as a kubelet keeps its own: a dated file and a link to it."""
    current = ctx.node.kubelet_client_certificate
    args = (joined, ctx.node)
    subject = {"subject": f"O={GROUP}, CN={user_of(ctx.node.name)}"}
    certificate = kubelet_certificate.dated(ctx.node, ctx.now, Late(CERTIFICATE_PRODUCER, subject, args))
    login = Late(KUBECONFIG_PRODUCER, {"kubeconfig": "kubelet.conf", "client certificate": current}, args)
    reason = "the cluster has signed the kubelet's certificate"
    return [
        WriteFiles((*authority, certificate), reason=reason, title="credentials"),
        kubelet_certificate.link(ctx.node, certificate, reason),
        # With this the host is a member: what it names is there already.
        WriteFiles((FileSpec(paths.KUBELET_CONF, login, 0o600),), reason=reason, title="kubelet.conf"),
    ]


STEP = Step("kubelet-start", "kubelet", plan, phase="kubelet-start")
