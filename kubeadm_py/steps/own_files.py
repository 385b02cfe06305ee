"""Plan the operator's own files and static pods: written, put back, and gone when the config drops them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Remove, RunScript
from kubeadm_py.model.node import OwnFile
from kubeadm_py.steps.base import Step, StepContext, write

_PODS = f"{paths.MANIFESTS_DIR}/"
_DROPPED = "the config does not name it any more"


def plan_files(ctx: StepContext) -> list[Action]:
    """Write the host's own files that are missing or differ; take away those that are named no more."""
    return _plan(ctx, ctx.node.files, pods=False)


def plan_pods(ctx: StepContext) -> list[Action]:
    """Write the manifests of the host's own static pods likewise; the kubelet does the rest."""
    return _plan(ctx, ctx.node.static_pods, pods=True)


def _plan(ctx: StepContext, wanted: Sequence[OwnFile], *, pods: bool) -> list[Action]:
    specs = [
        FileSpec(
            each.path, each.content, each.mode, each.owner, secret=each.secret, of_cluster=True, own=True
        )
        for each in wanted
    ]
    actions = write(
        specs,
        ctx.facts,
        title="own static pods" if pods else "own files",
        reason="missing, or other than the config says",
    )
    kept = {spec.path for spec in specs}
    dropped = [
        path
        for path, entry in ctx.recorded.items()
        if entry.get("own")
        and path in ctx.facts.files
        and path not in kept
        and path.startswith(_PODS) is pods
    ]
    made = tuple(path for path in dropped if ctx.recorded[path]["made"])
    if made:
        actions.append(Remove(made, reason=_DROPPED))
    # Once that is done, or where somebody else has written there since, the file is none of ours.
    ours = {path for path in dropped if ctx.facts.files[path].sha256 == ctx.recorded[path]["sha256"]}
    before = [path for path in dropped if path not in made and path in ours]
    if before:
        script = "\n".join(f"kpy_restore {shlex.quote(path)}" for path in before)
        actions.append(
            RunScript(f"put back what was there before: {', '.join(before)}", script, reason=_DROPPED)
        )
    return actions


STEP = Step("own-files", "the host's own files", plan_files)
"""Before anything of the cluster starts: the API server may read them."""
STEP_PODS = Step("own-static-pods", "the host's own static pods", plan_pods)
