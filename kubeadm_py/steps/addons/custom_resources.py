"""Apply what add-ons say in types of their own, once their controllers can judge it; delete what is over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.addons import inventory, stages
from kubeadm_py.addons.inventory import Ref
from kubeadm_py.model.actions import Action, ApplyObjects, FileSpec, RunScript
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.words import plural
from kubeadm_py.steps import applied, waits
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig, is_so, write
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.objects.addons import AddonObjects
from kubeadm_py.steps.objects.groups import addon_phase, marker_path

PATIENCE = timedelta(minutes=2)
"""How long a webhook that fails, or that nobody answers for yet, is tried again."""
_DELETION = timedelta(minutes=4)
_EACH_DELETION_SECONDS = 90


def plan(ctx: StepContext) -> list[Action]:
    """Apply the custom resources that are not the ones applied last, then delete what add-ons left behind."""
    actions: list[Action] = []
    with_workers = bool(ctx.marked) or addons_ready.schedulable_without_workers(ctx)
    for each in addon_objects.of(ctx):
        actions += _custom_resources(each, ctx, with_workers=with_workers)
        actions += _surplus(each, ctx)
    return actions


def _custom_resources(each: AddonObjects, ctx: StepContext, *, with_workers: bool) -> list[Action]:
    if not each.staged.custom_resources:
        return []
    marker = _marker(each)
    known = applied.same_cluster(ctx) and is_so(marker, ctx.facts) and addon_objects.is_known(each, ctx)
    if known or (needs_worker(each) and not with_workers):
        return []
    kubeconfig, server = admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}"
    wait = addon_objects.webhooks_answer(each, kubeconfig, server)
    apply = ApplyObjects(
        f"apply {len(each.staged.custom_resources)} custom resources of {each.item.name}",
        each.staged.custom_resources,
        server=server,
        kubeconfig=kubeconfig,
        reason=addon_phase(each.item.name),
        patience=PATIENCE,
    )
    note = write([marker], ctx.facts, title="note what was applied", reason=addon_phase(each.item.name))
    return [*([wait] if wait else []), apply, *note]


def needs_worker(each: AddonObjects) -> bool:
    """Say whether nobody judges the add-on's custom resources before there is a worker."""
    return any(ready.needs_worker for ready in each.item.addon.readiness)


def _marker(each: AddonObjects) -> FileSpec:
    digest = sha256(json.dumps(each.staged.custom_resources, sort_keys=True).encode())
    return FileSpec(custom_resources_marker(each.item.name), f"{digest}\n".encode(), 0o600)


def custom_resources_marker(addon: str) -> str:
    """Return the path of the file that says which custom resources of an add-on were applied."""
    return marker_path(f"{addon_phase(addon)}-custom-resources")


def _surplus(each: AddonObjects, ctx: StepContext) -> list[Action]:
    gone, stays = inventory.removable(each.surplus)
    if not gone:
        return []
    kubeconfig, server = admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}"
    left = inventory.config_map(replace(each.wanted, objects=(*reversed(stays), *each.wanted.objects)))
    return [
        *deletion(f"what {each.item.name} has no more", gone, kubeconfig, server),
        ApplyObjects(
            f"note what {each.item.name} has",
            (left,),
            server=server,
            kubeconfig=kubeconfig,
            patience=PATIENCE,
        ),
    ]


def deletion(what: str, refs: Sequence[Ref], kubeconfig: str, server: str) -> list[Action]:
    """Return the actions that delete objects in this order: custom resources while their controllers live.

    What is gone already, or whose type is, is no fault.
    """
    custom = [ref for ref in refs if not stages.is_built_in(ref.stub)]
    others = [ref for ref in refs if ref not in custom]
    command = waits.kubectl(kubeconfig, server).replace("--request-timeout 10s", "")
    script = f"""if {command} delete -f "$INPUT" --ignore-not-found --wait \\
  --timeout={_EACH_DELETION_SECONDS}s >"$kpy_tmp/deleted" 2>&1; then
  cat "$kpy_tmp/deleted"
elif grep -v -e 'no matches for kind' -e 'deleted$' -e 'ensure CRDs are installed' "$kpy_tmp/deleted"; then
  exit 1
fi"""
    return [
        RunScript(
            f"delete {plural(len(part), 'object')}: {what}",
            script,
            stdin=json.dumps(
                {"apiVersion": "v1", "kind": "List", "items": [ref.stub for ref in part]}
            ).encode(),
            reason=", ".join(str(ref) for ref in part[:8]) + (" ..." if len(part) > 8 else ""),
            timeout=_DELETION,
        )
        for part in (custom, others)
        if part
    ]


STEP = Step("custom-resources", "custom resources of add-ons", plan, leader=True)
