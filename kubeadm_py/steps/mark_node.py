"""Plan a node's labels and taints (kubeadm's phase mark-control-plane, and the file's own labels)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript, Wait
from kubeadm_py.model.cluster import CONTROL_PLANE_LABELS, CRI_SOCKET_ANNOTATION, Node, Role
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.steps import applied, waits
from kubeadm_py.steps.base import Step, StepContext, is_so, write
from kubeadm_py.steps.wait_control_plane import admin_kubeconfig


def labels_of(node: Node) -> dict[str, str]:
    """Return the labels that the node must carry."""
    return {**(CONTROL_PLANE_LABELS if node.role is Role.CONTROL_PLANE else {}), **node.labels}


def marker(node: Node) -> FileSpec:
    """Return the file that says which labels and taints were set."""
    marks: dict[str, Any] = {
        "labels": labels_of(node),
        "taints": [str(taint) for taint in node.effective_taints],
    }
    if node.cri_socket_annotated:
        marks["criSocket"] = node.cri_socket
    return FileSpec(
        f"{paths.NODE_MARKS}{node.name}", (json.dumps(marks, sort_keys=True) + "\n").encode(), 0o600
    )


def joining_patch(node: Node) -> Mapping[str, Any]:
    """Return what is patched on a node that has just joined: a worker has registered with its taints."""
    return patch(node) if node.role is Role.CONTROL_PLANE else _patch(node, labels_of(node), [])


def patch(node: Node, before: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return the strategic merge patch: taints merge by key, so those of others stay.

    What `before`, the marks that were set last, has more is taken off.
    """
    wanted, set_before = labels_of(node), (before or {}).get("labels", {})
    taints: list[Mapping[str, str]] = [taint.manifest for taint in node.effective_taints]
    kept = {taint["key"] for taint in taints}
    gone = [key for key in _keys((before or {}).get("taints", ())) if key not in kept]
    taints += [{"$patch": "delete", "key": key} for key in gone]
    return _patch(node, {**dict.fromkeys(set_before.keys() - wanted.keys()), **wanted}, taints)


def _patch(
    node: Node, labels: Mapping[str, str | None], taints: list[Mapping[str, str]]
) -> Mapping[str, Any]:
    socket = {CRI_SOCKET_ANNOTATION: node.cri_socket} if node.cri_socket_annotated else {}
    metadata = {**({"labels": labels} if labels else {}), **({"annotations": socket} if socket else {})}
    return {
        **({"metadata": metadata} if metadata else {}),
        **({"spec": {"taints": taints}} if taints else {}),
    }


def _keys(taints: Sequence[str]) -> list[str]:
    """Return the keys of taints as they are written: `KEY[=VALUE]:EFFECT`."""
    return list(dict.fromkeys(taint.partition(":")[0].partition("=")[0] for taint in taints))


def mark(
    patches: Mapping[str, Mapping[str, Any]], kubeconfig: str, server: str, deadline: timedelta
) -> list[Action]:
    """Return the actions, for a leader, that wait for the nodes' objects and patch them; none without marks.

    `patches` are by the node's name; nodes with the same one share a call.
    """
    alike: dict[str, list[str]] = {}
    for name, wanted in patches.items():
        if wanted:
            alike.setdefault(json.dumps(wanted), []).append(name)
    if not alike:
        return []
    command = waits.kubectl(kubeconfig, server)
    names = [name for group in alike.values() for name in group]
    which = f"node {names[0]}" if len(names) == 1 else f"nodes {', '.join(names)}"
    actions: list[Action] = [
        Wait(
            f"wait for {which} to register",
            f"{command} get node {shlex.join(names)} -o name || return 1",
            deadline,
            interval=0.1,
            diagnose="journalctl -u kubelet -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300",
            look=f"journalctl -u kubelet -e     (on {' or '.join(names)}, as root)",
        )
    ]
    actions += [
        RunScript(
            f"labels and taints of {', '.join(group)}",
            f"answer=$({command} patch node {shlex.join(group)} --type strategic -p {shlex.quote(wanted)})\n"
            """case $(printf '%s\\n' "$answer" | grep -v '(no change)') in '') echo unchanged ;; esac""",
            reason=_reason(json.loads(wanted)),
        )
        for wanted, group in alike.items()
    ]
    return actions


def _reason(wanted: Mapping[str, Any]) -> str:
    labels = wanted.get("metadata", {}).get("labels", {})
    taints = wanted.get("spec", {}).get("taints", [])
    return ", ".join(
        [
            *(key if value is not None else f"without {key}" for key, value in labels.items()),
            *(f"without {each['key']}" if "$patch" in each else _taint(each) for each in taints),
        ]
    )


def _taint(taint: Mapping[str, str]) -> str:
    value = f"={taint['value']}" if "value" in taint else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def plan(ctx: StepContext) -> list[Action]:
    """Mark this control plane, or the nodes that this leader is to mark, unless they are marked already."""
    known = applied.same_cluster(ctx)
    unless_so = known and not ctx.phases.only
    patches: dict[str, Mapping[str, Any]] = {}
    notes: list[FileSpec] = []
    for node in (ctx.node,) if ctx.marked is None else ctx.marked:
        if unless_so and is_so(marker(node), ctx.facts):
            continue
        wanted = patch(node, _noted(ctx.facts, node) if known else None)
        if wanted:
            patches[node.name] = wanted
            notes.append(marker(node))
    marks = mark(
        patches,
        admin_kubeconfig(ctx),
        f"https://{ctx.node.local_endpoint}",
        ctx.timeouts.kubernetes_api_call,
    )
    return [*marks, *write(notes, ctx.facts, title="note the marks")] if marks else []


def _noted(facts: HostFacts, node: Node) -> Mapping[str, Any] | None:
    fact = facts.files.get(marker(node).path)
    try:
        noted = json.loads((fact.content if fact is not None else None) or b"{}")
    except ValueError:
        return None
    whole = (
        isinstance(noted, dict)
        and isinstance(noted.get("labels"), dict)
        and isinstance(noted.get("taints"), list)
    )
    return noted if whole else None


STEP = Step("mark-control-plane", "labels and taints", plan, phase="mark-control-plane", leader=True)
STEP_JOINED = Step(
    "mark-control-plane", "labels and taints", plan, phase="control-plane-join/mark-control-plane"
)
STEP_WORKERS = Step("mark-workers", "labels and taints of workers", plan, leader=True)
"""The same for nodes that have joined, which kubeadm leaves to people."""
