"""Read a step's artifacts: what is sent to its host, and what somebody else looks after."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.artifacts.plan import (
    ArtifactView,
    BinaryState,
    Decision,
    decide_binaries,
)
from kubeadm_py.model.actions import Action, FileSpec, Late, Remove
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.steps.base import StepContext


def view(ctx: StepContext) -> ArtifactView:
    """Return what the artifact source offers; nothing for `preinstalled`."""
    artifacts = ctx.artifacts
    return artifacts if isinstance(artifacts, ArtifactView) else ArtifactView()


def installs(ctx: StepContext) -> bool:
    """Say whether we install the runtime and the kubelet; with `preinstalled` they are the operator's."""
    return view(ctx).source is not ArtifactSource.PREINSTALLED


def states(ctx: StepContext) -> dict[str, BinaryState]:
    """Return the decision about each binary that the host needs, by name."""
    decided = decide_binaries(ctx.cluster, ctx.node, ctx.facts, view(ctx), ctx.recorded.keys())
    return {state.binary.name: state for state in decided}


def sent(chosen: Sequence[BinaryState]) -> list[FileSpec]:
    """Return the files of those binaries that are to be sent."""
    files = []
    for state in chosen:
        if state.decision is Decision.SEND:
            # Whoever only looks has nothing downloaded; nobody produces what a run should have by now.
            content = state.file or Late(
                "download", {"downloaded": f"from the releases of {state.binary.component}"}
            )
            files.append(FileSpec(state.path, content, 0o755))
    return files


def why(chosen: Sequence[BinaryState]) -> str:
    """Say in one line why binaries are sent."""
    replaced = [
        f"{state.binary.name} {state.version}"
        for state in chosen
        if state.decision is Decision.SEND and state.version
    ]
    return f"replaces {', '.join(replaced)}" if replaced else ""


def leftovers(ctx: StepContext, wanted: Sequence[FileSpec], prefix: str) -> list[Action]:
    """Remove what we once wrote below `prefix` and the config no longer asks for."""
    kept = {spec.path for spec in wanted}
    gone = [
        path
        for path in sorted(ctx.recorded)
        if path.startswith(prefix) and path not in kept and path in ctx.facts.files
    ]
    return [Remove(tuple(gone), "the config no longer asks for it")] if gone else []
