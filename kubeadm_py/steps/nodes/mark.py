"""Plan a node's labels and taints (kubeadm's phase mark-control-plane, and the file's own labels)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript, Wait
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import CONTROL_PLANE_LABELS, CRI_SOCKET_ANNOTATION, Node, Role, Taint
from kubeadm_py.steps import applied, waits
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig, is_so, write

TITLE = "labels and taints of "
"""How the title of what marks nodes begins; their names follow, with commas."""


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


_UNTAINT = """{{
  answer=$({command} 2>&1) || case $answer in
    *'not found'*) answer="$answer (no change)" ;;
    *) printf '%s\\n' "$answer" >&2; exit 1 ;;
  esac
  printf '%s\\n' "$answer"
}}"""
"""One that somebody took off already is no failure."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Hold what a node is to carry, and the keys of what it carried by our doing and shall no longer."""

    labels: Mapping[str, str | None] = field(default_factory=dict)
    """None takes one off."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    gone: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """What somebody took off or changed by hand, for people to read."""

    def __bool__(self) -> bool:
        return bool(self.labels or self.annotations or self.taints or self.gone)

    def patch(self) -> dict[str, Any]:
        """Return the merge patch for what is a map to the API; taints are one list, which others share."""
        metadata = {"labels": dict(self.labels), "annotations": dict(self.annotations)}
        found = {key: value for key, value in metadata.items() if value}
        patch: dict[str, Any] = {"metadata": found} if found else {}
        if any(taint.time_added for taint in self.taints):
            # kubectl taint has no word for the time; only then the list is replaced as a whole.
            patch["spec"] = {"taints": [taint.manifest for taint in self.taints]}
        return patch

    def commands(self, kubectl: str, nodes: Sequence[str]) -> list[str]:
        """Return the commands that make it so."""
        names, patch = shlex.join(nodes), self.patch()
        found = []
        if patch:
            found.append(f"{kubectl} patch node {names} --type strategic -p {shlex.quote(json.dumps(patch))}")
        if self.taints and "spec" not in patch:
            wanted = shlex.join(str(taint) for taint in self.taints)
            found.append(f"{kubectl} taint node {names} --overwrite {wanted}")
        found += [
            _UNTAINT.format(command=f"{kubectl} taint node {shlex.quote(node)} {shlex.quote(f'{key}-')}")
            for key in self.gone
            for node in nodes
        ]
        return found

    def shows(self) -> Iterator[str]:
        """Yield what a plan says of the marks, one line each."""
        for key, value in self.labels.items():
            yield f"without label {key}" if value is None else f"label {key}={value}"
        yield from (f"annotation {key}={value}" for key, value in self.annotations.items())
        yield from (f"taint {taint}" for taint in self.taints)
        yield from (f"without taint {key}" for key in self.gone)

    def reason(self) -> str:
        """Say what changes."""
        return ", ".join(
            [
                *(key if value is not None else f"without {key}" for key, value in self.labels.items()),
                *self.annotations,
                *map(str, self.taints),
                *(f"without {key}" for key in self.gone),
            ]
        )


def joining(node: Node) -> Marks:
    """Return what is marked on a node that has just joined: a worker has registered with its taints."""
    wanted = marks(node)
    return wanted if node.role is Role.CONTROL_PLANE else replace(wanted, taints=())


def marks(node: Node, before: Mapping[str, Any] | None = None) -> Marks:
    """Return a node's marks; what `before`, the marks that were set last, has more is taken off."""
    labels, set_before = labels_of(node), (before or {}).get("labels", {})
    kept = {taint.key for taint in node.effective_taints}
    return Marks(
        {**dict.fromkeys(sorted(set_before.keys() - labels.keys())), **labels},
        {CRI_SOCKET_ANNOTATION: node.cri_socket} if node.cri_socket_annotated else {},
        node.effective_taints,
        tuple(key for key in _keys((before or {}).get("taints", ())) if key not in kept),
    )


def _keys(taints: Sequence[str]) -> list[str]:
    """Return the keys of taints as they are written: `KEY[=VALUE]:EFFECT`."""
    return list(dict.fromkeys(taint.partition(":")[0].partition("=")[0] for taint in taints))


def mark(wanted: Mapping[str, Marks], kubeconfig: str, server: str, deadline: timedelta) -> list[Action]:
    """Return the actions, for a leader, that wait for nodes and mark them; none without marks.

    `wanted` is by the node's name; nodes with the same marks share a call.
    """
    alike: dict[str, tuple[Marks, list[str]]] = {}
    for name, each in wanted.items():
        if each:
            alike.setdefault(repr(each), (each, []))[1].append(name)
    if not alike:
        return []
    command = waits.kubectl(kubeconfig, server)
    names = [name for _, group in alike.values() for name in group]
    which = f"node {names[0]}" if len(names) == 1 else f"nodes {', '.join(names)}"
    actions: list[Action] = [
        Wait(
            f"wait for {which} to register",
            f"{command} get node {shlex.join(names)} -o name || return 1",
            deadline,
            diagnose="journalctl -u kubelet -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300",
            look=f"journalctl -u kubelet -e     (on {' or '.join(names)}, as root)",
        )
    ]
    actions += [
        RunScript(
            f"{TITLE}{', '.join(group)}",
            _script(each.commands(command, group)),
            reason="changed by hand (drift)" if each.lost else each.reason(),
            shows=each.lost or tuple(each.shows()),
        )
        for each, group in alike.values()
    ]
    return actions


def _script(commands: Sequence[str]) -> str:
    """Run commands that say `(no change)` of what is so already."""
    runs = "".join(f"{command} >>$kpy_tmp/marked\n" for command in commands)
    return (
        f": >$kpy_tmp/marked\n{runs}cat $kpy_tmp/marked\n"
        "grep -qv '(no change)' $kpy_tmp/marked || echo unchanged"
    )


def plan(ctx: StepContext) -> list[Action]:
    """Mark this control plane, or the nodes that this leader is to mark, unless they are marked already."""
    known = applied.same_cluster(ctx)
    unless_so = known and not ctx.phases.only
    patches: dict[str, Marks] = {}
    notes: list[FileSpec] = []
    for node in (ctx.node,) if ctx.marked is None else ctx.marked:
        as_noted = unless_so and is_so(marker(node), ctx.facts)
        gone = lost(node, ctx.live)
        if as_noted and not gone:
            continue
        wanted = marks(node, _noted(ctx.facts, node) if known else None)
        if not wanted:
            continue
        notes.append(marker(node))
        if gone or not _carries(node, wanted, ctx.live):
            patches[node.name] = replace(wanted, lost=gone if as_noted else ())
    actions = mark(
        patches,
        admin_kubeconfig(ctx),
        f"https://{ctx.node.local_endpoint}",
        ctx.timeouts.kubernetes_api_call,
    )
    return [*actions, *write(notes, ctx.facts, title="note the marks")]


def _carries(node: Node, wanted: Marks, there: LiveObjects | None) -> bool:
    """Say whether a node is known to have all its marks, and none that is to go."""
    found = there.there.get(f"Node {node.name}") if there is not None else None
    if found is None or wanted.annotations:
        return False
    labels = found["metadata"].get("labels") or {}
    taints = {each["key"] for each in found["spec"].get("taints") or ()}
    unwanted = {key for key, value in wanted.labels.items() if value is None}
    return not unwanted & labels.keys() and not taints & set(wanted.gone)


def lost(node: Node, there: LiveObjects | None) -> tuple[str, ...]:
    """Say which marks of ours a node does not carry any more; none where nobody was asked.

    A taint that a node only registers with goes away by itself once something is ready there.
    """
    found = there.there.get(f"Node {node.name}") if there is not None else None
    if found is None:
        return ()
    labels = found["metadata"].get("labels") or {}
    gone = [
        f"label {key}={value} " + (f"is {labels[key] or 'empty'}" if key in labels else "is gone")
        for key, value in labels_of(node).items()
        if labels.get(key) != value
    ]
    taints = {
        (each["key"], each["effect"]): each.get("value", "") for each in found["spec"].get("taints") or ()
    }
    gone += [
        f"taint {taint} is gone"
        for taint in node.effective_taints
        if not node.taints_registered and taints.get((taint.key, taint.effect)) != taint.value
    ]
    return tuple(gone)


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
