"""Plan the static pods of a control-plane host (kubeadm's phases etcd and control-plane)."""

from __future__ import annotations

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, MakeDirectories
from kubeadm_py.render.static_pods import manifests
from kubeadm_py.steps.base import Step, StepContext, write

_ETCD = f"{paths.MANIFESTS_DIR}/etcd.yaml"


def plan_etcd(ctx: StepContext) -> list[Action]:
    """Make etcd's data directory and write its manifest, where this host runs etcd."""
    local = ctx.cluster.etcd.local
    actions: list[Action] = []
    if local is not None and local.data_dir not in ctx.facts.directories:
        actions.append(MakeDirectories(((local.data_dir, 0o700),), title="etcd's data directory"))
    files = [spec for spec in _manifests(ctx) if spec.path == _ETCD]
    return actions + write(files, ctx.facts, title="etcd's manifest", reason="missing or changed")


def plan(ctx: StepContext) -> list[Action]:
    """Write the components' manifests that differ; the kubelet takes them from there."""
    files = [spec for spec in _manifests(ctx) if spec.path != _ETCD]
    return write(files, ctx.facts, title="static pod manifests", reason="missing or changed")


def _manifests(ctx: StepContext) -> list[FileSpec]:
    return manifests(ctx.cluster, ctx.node, ctx.facts, environment=ctx.facts.environment)


STEP_ETCD = Step("etcd", "etcd", plan_etcd, phase="etcd")
STEP = Step("control-plane", "static pods", plan, phase="control-plane")
