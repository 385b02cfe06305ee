"""Bring the images that a host runs: streamed from the bundle and pinned, or pulled by the host."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.addons import load as addons
from kubeadm_py.artifacts.plan import image_needs, images_for, uses_containerd
from kubeadm_py.model import images
from kubeadm_py.model.actions import Action, ImportImages, RunScript
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.node import Node
from kubeadm_py.model.words import plural
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.prepare import source

PULL_TRIES = 5
"""kubeadm's own number (contract section 0)."""
_PULL_TIMEOUT = timedelta(minutes=30)
_PULL = """failed=$kpy_tmp/failed
: >"$failed"
: >"$kpy_tmp/come"
come() {
  echo >>"$kpy_tmp/come"
  kpy_mark "note $(($(wc -l <"$kpy_tmp/come"))) of @COUNT@ images are there"
}
# Digests by which the runtime knows an image, of the repository that it was pulled from.
digests() {
  @CRI@ inspecti --output go-template --template '{{range .status.repoDigests}}{{println .}}{{end}}' "$1" |
    sed -n "s|^$(printf '%s' "${1%:*}" | sed 's/[.]/[.]/g')@||p"
}
# What was pinned is what may run: a tag that leads elsewhere by now is not taken.
judge() {
  found=$(digests "$1") || found=
  if [ "$2" = - ]; then
    case $found in "" | *[[:space:]]*) ;; *) kpy_mark "pulled $1 $found" ;; esac
  elif ! printf '%s\n' "$found" | grep -qxF "$2"; then
    @CRI@ rmi "$1" >/dev/null 2>&1 || true
    found=$(printf %s "$found" | tr '\n' ' ')
    printf '%s\n' "$1 is ${found:-of no known digest} in its registry; the lock file pins $2" >>"$failed"
    return
  fi
  come
}
pull() {
@HELD@  tries=0
  until said=$(@CRI@ pull "$1" 2>&1); do
    tries=$((tries + 1))
    if [ "$tries" -ge @TRIES@ ]; then
      printf '%s\n' "cannot pull $1: $said" >>"$failed"
      return
    fi
    sleep "$tries"
  done
  judge "$1" "$2"
}
while read -r image pin; do
  pull "$image" "$pin" </dev/null@BACKGROUND@
done <<'KPY_IMAGES'
@IMAGES@
KPY_IMAGES
wait
cat "$failed" >&2
[ ! -s "$failed" ]"""
_HELD = '  @CRI@ inspecti "$1" >/dev/null 2>&1 && { come; return; }\n'
_UNPINNED = "-"


def plan_images(ctx: StepContext) -> list[Action]:
    """Import what the bundle holds and the host lacks; otherwise pull by nodeRegistration's policy."""
    artifacts = source.view(ctx)
    needed = needed_images(ctx)
    needs = image_needs(needed, ctx.facts, artifacts)
    if artifacts.source is not ArtifactSource.BUNDLE:
        wanted = needed if ctx.node.image_pull_policy == "Always" else needs.absent
        return _pull(ctx.node, wanted, artifacts.pins)
    if not uses_containerd(ctx.node):
        return _pull(ctx.node, needs.absent, artifacts.pins)
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
                f"pin {plural(len(unpinned), 'image')}",
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
    return _pull(replace(ctx.node, image_pull_policy="Always"), needed_images(ctx), source.view(ctx).pins)


def needed_images(ctx: StepContext) -> tuple[str, ...]:
    """List what the host runs, add-ons included, and verify's test image where the bundle has it."""
    more = addons.images(ctx.addons, ctx.cluster) if ctx.addons else []
    offered = source.view(ctx).images.get(ctx.facts.architecture, {})
    test = [images.TEST_IMAGE] if images.TEST_IMAGE in offered else []
    return images_for(ctx.cluster, ctx.node, [*more, *test])


def _pull(node: Node, references: Sequence[str], pins: Mapping[str, str]) -> list[Action]:
    if not references or node.image_pull_policy == "Never":
        return []
    endpoint = shlex.quote(node.cri_socket)
    filled = {
        # A runtime that was down when the host was looked at has said nothing of what it holds.
        "@HELD@": "" if node.image_pull_policy == "Always" else _HELD,
        "@CRI@": f"crictl --runtime-endpoint {endpoint} --image-endpoint {endpoint}",
        "@TRIES@": str(PULL_TRIES),
        "@COUNT@": str(len(references)),
        # A parallel pull is a set of background jobs; each leaves its name in a file when it has failed.
        "@BACKGROUND@": "" if node.image_pull_serial else " &",
        "@IMAGES@": "\n".join(f"{each} {pins.get(each, _UNPINNED)}" for each in references),
    }
    script = _PULL
    for place, text in filled.items():
        script = script.replace(place, text)
    return [RunScript(f"pull {plural(len(references), 'image')}", script, timeout=_PULL_TIMEOUT)]
