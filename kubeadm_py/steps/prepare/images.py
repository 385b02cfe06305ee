"""Bring the images that a host runs: streamed from the bundle and pinned, or pulled by the host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.addons import load as addons
from kubeadm_py.artifacts.plan import image_needs, images_for, uses_containerd
from kubeadm_py.model import images
from kubeadm_py.model.actions import Action, ImportImages, RunScript
from kubeadm_py.model.cluster import ArtifactSource, Node
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.prepare import source

PULL_TRIES = 5
"""kubeadm's own number (contract section 0)."""
_PULL_TIMEOUT = timedelta(minutes=30)


def plan_images(ctx: StepContext) -> list[Action]:
    """Import what the bundle holds and the host lacks; otherwise pull by nodeRegistration's policy."""
    artifacts = source.view(ctx)
    needed = needed_images(ctx)
    needs = image_needs(needed, ctx.facts, artifacts)
    if artifacts.source is not ArtifactSource.BUNDLE:
        return _pull(ctx.node, needed if ctx.node.image_pull_policy == "Always" else needs.absent)
    if not uses_containerd(ctx.node):
        return _pull(ctx.node, needs.absent)
    offered = artifacts.images.get(ctx.facts.architecture, {})
    imported = tuple((reference, offered[reference]) for reference in needs.absent if reference in offered)
    present = tuple(sorted({image.digest for image in ctx.facts.images}))
    actions: list[Action] = []
    if imported:
        actions.append(ImportImages(artifacts.layout, imported, present))
    # What can never be pulled again must survive the kubelet's image garbage collection.
    unpinned = [reference for reference in needs.unpinned if reference in offered]
    if unpinned:
        actions.append(
            RunScript(
                f"pin {len(unpinned)} images",
                f"""for image in {shlex.join(unpinned)}; do
  ctr -n k8s.io images label "$image" io.cri-containerd.pinned=pinned >/dev/null
done""",
            )
        )
    return actions


def plan_pull(ctx: StepContext) -> list[Action]:
    """Import from the bundle, or pull every image whatever the policy is, as `kubeadm config images pull`."""
    if source.view(ctx).source is ArtifactSource.BUNDLE:
        return plan_images(ctx)
    return _pull(replace(ctx.node, image_pull_policy="Always"), needed_images(ctx))


def needed_images(ctx: StepContext) -> tuple[str, ...]:
    """List what the host runs, add-ons included, and verify's test image where the bundle has it."""
    more = addons.images(ctx.addons, ctx.cluster) if ctx.addons else []
    offered = source.view(ctx).images.get(ctx.facts.architecture, {})
    test = [images.TEST_IMAGE] if images.TEST_IMAGE in offered else []
    return images_for(ctx.cluster, ctx.node, [*more, *test])


def _pull(node: Node, references: Sequence[str]) -> list[Action]:
    if not references or node.image_pull_policy == "Never":
        return []
    endpoint = shlex.quote(node.cri_socket)
    # A parallel pull is a set of background jobs; each leaves its name in a file when it has failed.
    one_by_one = "" if node.image_pull_serial else " &"
    cri = f"crictl --runtime-endpoint {endpoint} --image-endpoint {endpoint}"
    # A runtime that was down when the host was looked at has said nothing of what it holds.
    held = "" if node.image_pull_policy == "Always" else f'  {cri} inspecti "$1" >/dev/null 2>&1 && return\n'
    return [
        RunScript(
            f"pull {len(references)} images",
            f"""failed=$kpy_tmp/failed
: >"$failed"
pull() {{
{held}  tries=0
  until said=$({cri} pull "$1" 2>&1); do
    tries=$((tries + 1))
    if [ "$tries" -ge {PULL_TRIES} ]; then
      printf '%s\\n' "cannot pull $1: $said" >>"$failed"
      return
    fi
    sleep "$tries"
  done
}}
for image in {shlex.join(references)}; do
  pull "$image"{one_by_one}
done
wait
cat "$failed" >&2
[ ! -s "$failed" ]""",
            timeout=_PULL_TIMEOUT,
        )
    ]
