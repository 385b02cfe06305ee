"""Plan the kubelet's files and its start (kubeadm's phase kubelet-start)."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Late, Unit, WriteFiles
from kubeadm_py.model.cluster import Role
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.render import kubelet
from kubeadm_py.steps.base import Step, StepContext, differing, write

BOOTSTRAP_PRODUCER = "bootstrap-kubeconfig"
"""Its Late.args is the JoinedCluster."""
UNIT = "kubelet.service"


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
    """Give a joining kubelet the CA and its bootstrap token, unless it is a member already."""
    if paths.KUBELET_CONF in ctx.facts.files:
        return []
    joined: JoinedCluster = ctx.joined
    if ctx.node.role is Role.CONTROL_PLANE:
        # Its kubelet speaks to its own API server only, from the first day (kubeadm contract 1.2).
        joined = replace(joined, server=f"https://{ctx.node.local_endpoint}")
    late = Late(BOOTSTRAP_PRODUCER, {"kubeconfig": "bootstrap-kubelet.conf"}, joined)
    files = [FileSpec(paths.BOOTSTRAP_KUBELET_CONF, late, 0o600, secret=True)]
    if joined.shared_file(ctx.cluster.ca_cert_path) is None:
        authority = FileSpec(ctx.cluster.ca_cert_path, joined.ca_pem, 0o644, of_cluster=True)
        files = [*differing([authority], ctx.facts), *files]
    return [
        WriteFiles(tuple(files), reason="the kubelet asks the cluster for a certificate", title="credentials")
    ]


STEP = Step("kubelet-start", "kubelet", plan, phase="kubelet-start")
