"""Plan the static pods of a control-plane host (kubeadm's phases etcd and control-plane)."""

from __future__ import annotations

from kubeadm_py.model.actions import Action, MakeDirectories
from kubeadm_py.render.static_pods import manifests
from kubeadm_py.steps.base import Step, StepContext, write


def plan(ctx: StepContext) -> list[Action]:
    """Write the manifests that differ; the kubelet takes them from there."""
    local = ctx.cluster.etcd.local
    actions: list[Action] = []
    if local is not None and local.data_dir not in ctx.facts.directories:
        actions.append(MakeDirectories(((local.data_dir, 0o700),), title="etcd's data directory"))
    files = manifests(ctx.cluster, ctx.node, ctx.facts, environment=ctx.facts.environment)
    return actions + write(files, ctx.facts, title="static pod manifests", reason="missing or changed")


STEP = Step("control-plane", "static pods", plan, phase="control-plane")
