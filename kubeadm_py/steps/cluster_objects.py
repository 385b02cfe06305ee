"""Plan the cluster's API objects: one server-side apply for all groups that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    FileSpec,
    Guard,
    Late,
)
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.words import plural
from kubeadm_py.steps import applied
from kubeadm_py.steps.addons import roll as addon_roll
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig, is_so, write
from kubeadm_py.steps.kube_proxy import roll as proxy_roll
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.objects.groups import KUBE_PROXY, PHASES, Group, groups, name
from kubeadm_py.steps.objects.guard import guard_name

BY_HAND = "changed by hand (drift)"
DELETED = "deleted by hand (drift)"


def plan(ctx: StepContext) -> list[Action]:
    """Apply the groups whose objects are not the ones applied last to this cluster, in one call.

    Groups that are asked for by name are applied whatever is noted: somebody may have deleted them.
    """
    return [] if ctx.moving else _apply(ctx, groups(ctx))


def plan_kube_proxy(ctx: StepContext) -> list[Action]:
    """Apply kube-proxy alone: of a running cluster it is moved to another endpoint before the rest."""
    return _apply(ctx, [group for group in groups(ctx) if group.phase == KUBE_PROXY])


def rolls_kube_proxy(ctx: StepContext) -> bool:
    """Say whether pods of kube-proxy that are at work would be replaced."""
    return any(isinstance(action, Guard) for action in plan_kube_proxy(ctx))


def plan_others(ctx: StepContext) -> list[Action]:
    """Apply all but kube-proxy: who joins from now on finds the new endpoint."""
    return _apply(ctx, [group for group in groups(ctx) if group.phase != KUBE_PROXY])


def _apply(ctx: StepContext, among: Sequence[Group]) -> list[Action]:
    known = applied.same_cluster(ctx) and not ctx.phases.only
    chosen: list[Group] = []
    markers: list[FileSpec] = []
    why: dict[str, str] = {}
    for group in among:
        noted = known and is_so(group.marker, ctx.facts)
        as_noted = noted and _is_so(group, ctx)
        fitting = group
        if ctx.live is not None and known and (as_noted or _is_plain(group, ctx)):
            # Of what was applied before, only the objects that are not so any more.
            items = tuple(item for item in group.objects if _differs(item, ctx.live))
            fitting = Group(group.phase, items)
        elif as_noted:
            continue
        why |= {name(item): _why(item, group, ctx, noted=noted) for item in fitting.everything}
        if fitting.everything:
            chosen.append(fitting)
        if fitting.everything or not as_noted:
            markers.append(group.marker)
    rolled = [group for group in among if known and _is_rolled(group, ctx, chosen)]
    phases = [group.phase for group in rolled]
    others = [group for group in chosen if group.phase not in phases]
    own = [group.marker for group in rolled]
    return [
        *_in_stages(ctx, others, why),
        *_note(ctx, [marker for marker in markers if marker not in own], others),
        *(
            action
            for group in rolled
            for action in _roll(ctx, group, [each for each in chosen if each.phase == group.phase], why)
        ),
    ]


def _note(ctx: StepContext, markers: list[FileSpec], chosen: Sequence[Group]) -> list[Action]:
    reason = ", ".join(group.phase for group in chosen)
    return write(markers, ctx.facts, title="note what was applied", reason=reason)


def _is_rolled(group: Group, ctx: StepContext, chosen: Sequence[Group]) -> bool:
    """Say whether pods that are at work are to be replaced, or a run that was cut off has begun to."""
    if paths.kept_list(guard_name(group.phase)) in ctx.facts.files:
        return True
    unread = group.phase == KUBE_PROXY and proxy_roll.is_unread(group, ctx)
    return _is_at_work(group, ctx) and (unread or _holds(chosen, group))


def _is_at_work(group: Group, ctx: StepContext) -> bool:
    """Say whether pods of this group run with the configuration that changes."""
    if group.addon is not None:
        return group.marker.path in ctx.facts.files and addon_roll.works(group.addon, ctx)
    missing = ctx.live.missing if ctx.live is not None else frozenset()
    return (
        group.phase == KUBE_PROXY
        and group.marker.path in ctx.facts.files
        and missing.isdisjoint(map(name, group.objects))
    )


def _is_plain(group: Group, ctx: StepContext) -> bool:
    """Say whether an earlier form of a group was applied, and nothing but its objects follows from it."""
    return group.addon is None and group.marker.path in ctx.facts.files


def _holds(chosen: Sequence[Group], group: Group) -> bool:
    return any(each.phase == group.phase for each in chosen)


def _why(item: Mapping[str, Any] | Late, group: Group, ctx: StepContext, *, noted: bool) -> str:
    if not noted or ctx.live is None or not ctx.live.differs(name(item)):
        return f"of {group.phase}"
    return DELETED if name(item) in ctx.live.missing else BY_HAND


def _differs(item: Mapping[str, Any] | Late, there: LiveObjects) -> bool:
    return name(item) not in there.there or there.differs(name(item))


def _roll(ctx: StepContext, group: Group, fitting: Sequence[Group], why: Mapping[str, str]) -> list[Action]:
    """Apply what changes pods that are at work, and put all back where they do not come up again."""
    change = _in_stages(ctx, fitting, why)
    actions = (
        proxy_roll.guarded(ctx, group, change)
        if group.addon is None
        else addon_roll.guarded(
            ctx, group.addon, [item for each in fitting for item in each.everything], change
        )
    )
    # The note comes last: a run that was cut before has the pods replaced by the next one.
    return [*actions, *_note(ctx, [group.marker], fitting)]


def types_to_fetch(ctx: StepContext) -> list[tuple[str, str]]:
    """List (add-on, path or URL) of the types that plan() asks for and that have to be fetched first."""
    known = applied.same_cluster(ctx) and not ctx.phases.only
    return [
        item.args
        for group in groups(ctx)
        if not (known and _is_so(group, ctx))
        for item in group.types
        if isinstance(item, Late)
    ]


def _is_so(group: Group, ctx: StepContext) -> bool:
    """Say whether this form of a group was applied, and of an add-on, whether the cluster still has it."""
    return is_so(group.marker, ctx.facts) and (
        group.addon is None or addon_objects.is_known(group.addon, ctx)
    )


def _in_stages(ctx: StepContext, wanted: Sequence[Group], why: Mapping[str, str]) -> list[Action]:
    """Return the applies of groups: one, unless there are types that have to be served first."""
    if not wanted:
        return []
    typed = [group for group in wanted if group.types]
    if not typed:
        return [_one_apply(ctx, wanted, why)]
    plain = [group for group in wanted if group not in typed]
    names = [group.addon.item.name for group in typed if group.addon]
    server = f"https://{ctx.node.local_endpoint}"
    return [
        _one_apply(ctx, [*plain, *(Group(group.phase, group.types) for group in typed)], why),
        addon_objects.types_established(names, admin_kubeconfig(ctx), server),
        _one_apply(ctx, typed, why),
    ]


def _one_apply(ctx: StepContext, chosen: Sequence[Group], why: Mapping[str, str]) -> ApplyObjects:
    items = tuple(item for group in chosen for item in group.everything)
    return ApplyObjects(
        f"apply {plural(len(items), 'API object')}",
        items,
        server=f"https://{ctx.node.local_endpoint}",
        kubeconfig=admin_kubeconfig(ctx),
        reason=", ".join(group.phase for group in chosen),
        patience=ctx.timeouts.kubernetes_api_call,
        why=why,
    )


OBJECTS = "cluster objects"
"""What hosts that join wait for: the cluster knows how to take them in."""
MOVED = "the endpoint"
"""What hosts wait for that join while the endpoint moves: all members use the new one."""
STEP = Step("objects", "API objects", plan, goes_with=PHASES, leader=True, provides=OBJECTS)
STEP_KUBE_PROXY = Step("kube-proxy", "kube-proxy", plan_kube_proxy, phase=KUBE_PROXY, leader=True)
STEP_OTHERS = Step("objects", "API objects", plan_others, goes_with=PHASES, leader=True, provides=MOVED)
