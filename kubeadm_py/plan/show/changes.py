"""Say what a plan would change, host by host, from what is known of the hosts now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kubeadm_py.engine.events import Planned
from kubeadm_py.engine.session import Session
from kubeadm_py.model import credentials, diffs, live, paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    EtcdMember,
    Guard,
    ImportImages,
    Late,
    MakeDirectories,
    Remove,
    RestartStaticPod,
    RunScript,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.changes import Change, HostChanges, Sign
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.stages import Plan, PlannedStep
from kubeadm_py.plan.live import objects as live_objects
from kubeadm_py.plan.show import before as known
from kubeadm_py.plan.show import files as file_changes
from kubeadm_py.plan.show.before import Before
from kubeadm_py.render import yaml_text
from kubeadm_py.steps import applied
from kubeadm_py.steps.objects import groups as object_groups

Why = Callable[[str, Change], str]
"""Say why a host's change is planned, where the config tells; else an empty string."""

BY_HAND = "(drift)"
"""How the reason of an action ends that puts back what somebody changed."""
_OBJECTS = ("object", "node")
_KINDS = {
    "prepare/sysctls": "setting",
    "prepare/modules": "setting",
    "prepare/swap": "setting",
    "endpoint": "setting",
    "permissions": "setting",
    "mark-control-plane": "node",
    "mark-workers": "node",
}
"""What a step's scripts are about."""


def planned(
    plan: Plan,
    sessions: Mapping[str, Session],
    why: Why = lambda _host, _change: "",
    *,
    in_turn: tuple[str, ...] = (),
    live: LiveObjects | None = None,
) -> Planned:
    """Return the event that tells a plan; text that changes and was not seen yet is read from its host."""
    return tell(plan, known.of_sessions(sessions, plan, live), why, in_turn=in_turn)


def tell(
    plan: Plan,
    before: Mapping[str, Before],
    why: Why = lambda _host, _change: "",
    *,
    in_turn: tuple[str, ...] = (),
) -> Planned:
    """Return the event that tells a plan."""
    by_host: dict[str, list[Change]] = {}
    objects: list[Change] = []
    restarts: dict[str, list[str]] = {}
    for stage in plan.stages:
        for host in stage.hosts:
            for step in host.steps:
                for change in _of_step(step, before.get(host.host)):
                    because = why(host.host, change)
                    told = replace(change, because=because) if because else change
                    (objects if change.kind in _OBJECTS else by_host.setdefault(host.host, [])).append(told)
                restarts.setdefault(host.host, []).extend(_restarts(step, before.get(host.host)))
    hosts = tuple(
        HostChanges(host, tuple(changes), tuple(dict.fromkeys(restarts[host])))
        for host, changes in by_host.items()
        if changes
    )
    return Planned(plan.verb, hosts, tuple(objects), tuple(dict.fromkeys(_all_hosts(plan))), in_turn)


def _all_hosts(plan: Plan) -> Iterator[str]:
    return (host.host for stage in plan.stages for host in stage.hosts)


def _of_step(step: PlannedStep, before: Before | None) -> Iterator[Change]:
    for action in step.actions:
        for change in _of_action(action, before, _KINDS.get(step.step, "script")):
            yield replace(change, step=step.step)


def _of_action(action: Action, before: Before | None, kind: str) -> Iterator[Change]:
    match action:
        case WriteFiles():
            yield from file_changes.changes(action, before)
        case MakeDirectories():
            for path, mode in action.directories:
                yield Change(Sign.ADD, "directory", f"{path}/", details=(f"{mode:04o}",))
        case RunScript():
            drifted = action.reason.endswith(BY_HAND)
            # What marks there are stands below already.
            because = "" if kind == "node" and not drifted else action.reason
            yield Change(Sign.DRIFT if drifted else Sign.DO, kind, action.title, because, action.shows)
        case EtcdMember():
            yield Change(Sign.DO, "member", f"{action.title}: {action.name}={action.peer_url}", action.reason)
            yield Change(Sign.CHANGE, "file", action.manifest.path, "with the members as they are then")
        case Unit():
            yield _of_unit(action, before)
        case ApplyObjects():
            for item in action.objects:
                found = before.live if before is not None else None
                name = object_groups.name(item)
                # What goes along with its group and is as it shall be is no change.
                if found is None or name not in found.there or found.differs(name):
                    yield _of_object(item, action, before)
        case Wait() | Guard() | Settle():
            return
        case Remove():
            for path in action.paths:
                yield Change(Sign.REMOVE, "file", path, action.reason)
        case RestartStaticPod():
            yield Change(Sign.DO, "unit", f"restart {action.component}", action.reason)
        case ImportImages():
            details = tuple(reference for reference, _ in action.images)
            number = f"{len(details)} image{'s' * (len(details) != 1)}"
            yield Change(Sign.ADD, "images", number, action.reason, details)


def _of_unit(unit: Unit, before: Before | None) -> Change:
    how = unit.state or ("" if unit.enabled is None else "enabled" if unit.enabled else "disabled")
    both = unit.state and unit.enabled
    subject = f"{unit.name} {how or 'reloaded'}" + (", enabled" if both else "")
    fact = before.facts.units.get(unit.name) if before is not None else None
    ours = before is not None and before.settled and unit.name in before.units
    stopped = fact is not None and fact.active_state != "active" and unit.state in ("started", "restarted")
    disabled = fact is not None and bool(unit.enabled) and fact.enabled != "enabled"
    if ours and (stopped or disabled):
        found = "stopped" if stopped else "disabled"
        return Change(
            Sign.DRIFT,
            "unit",
            subject,
            f"it was {found} by hand, or died (drift)" if stopped else "it was disabled by hand (drift)",
        )
    return Change(Sign.DO, "unit", subject, unit.reason)


def _of_object(item: Mapping[str, Any] | Late, action: ApplyObjects, before: Before | None) -> Change:
    name = object_groups.name(item)
    because = action.why.get(name, action.reason)
    there = before.live.there.get(name) if before is not None and before.live is not None else None
    merged = before.live.merged.get(name) if before is not None and before.live is not None else None
    diff = ""
    if there is not None and merged is not None and there.get("kind") != "Secret":
        old, new = (yaml_text.dump(live.cleaned(each)).decode() for each in (there, merged))
        diff = diffs.unified(credentials.withheld(old), credentials.withheld(new), name)
    if because.endswith(BY_HAND):
        writer = live.last_writer(there, live_objects.FIELD_MANAGER) if there is not None else ""
        because = f"changed {writer} {BY_HAND}" if writer else because
        sign = Sign.DRIFT
    elif before is None or there is not None:
        sign = Sign.CHANGE
    else:
        asked = before.live is not None or applied.AUTHORITY not in before.facts.files
        sign = Sign.ADD if asked else Sign.CHANGE
    return Change(sign, "object", name, because, diff=diff)


def _restarts(step: PlannedStep, before: Before | None) -> Iterator[str]:
    """Yield what goes down for a moment: running units that are restarted, pods that are replaced."""
    for action in step.actions:
        match action:
            case WriteFiles():
                for spec in action.files:
                    there = before is not None and spec.path in before.facts.files
                    if there and spec.path.startswith(f"{paths.MANIFESTS_DIR}/"):
                        yield spec.path.rpartition("/")[2].removesuffix(".yaml")
            case Unit(state="restarted"):
                fact = before.facts.units.get(action.name) if before is not None else None
                if fact is not None and fact.active_state == "active":
                    yield action.name.removesuffix(".service")
            case RestartStaticPod():
                yield action.component
            case _:
                continue
