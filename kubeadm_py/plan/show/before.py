"""Know what a plan's hosts are like now: facts, our record of them, and the old content of what changes."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, WriteFiles
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.stages import Plan
from kubeadm_py.transport.fanout import fan_out

MOST_BYTES = 256 << 10
"""What is larger is told by its size and hash only."""
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Before:
    """Hold what is known of one host before a plan is carried out."""

    facts: HostFacts
    recorded: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settled: bool = True
    """Whether the last run ended what it had begun here: only then is a difference somebody else's work."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    """Units that we have brought to a state here."""
    live: LiveObjects | None = None
    """What the cluster has of the objects that this host applies."""


def of_sessions(
    sessions: Mapping[str, Session], plan: Plan | None = None, live: LiveObjects | None = None
) -> dict[str, Before]:
    """Return what is known of each host; with a plan, also the old content of the text that it changes.

    That costs one more round trip, and only to hosts where the probe showed too little.
    """
    contents = _read(sessions, plan) if plan is not None else {}
    return {
        name: Before(
            session.facts,
            session.inventory.files,
            session.inventory.is_settled(session.facts),
            contents.get(name, {}),
            tuple(session.inventory.units),
            live,
        )
        for name, session in sessions.items()
    }


def _read(sessions: Mapping[str, Session], plan: Plan) -> dict[str, dict[str, bytes]]:
    wanted: dict[str, list[str]] = {}
    for stage in plan.stages:
        for host in stage.hosts:
            if host.host in sessions:
                found = list(_unseen(host.actions, sessions[host.host].facts))
                wanted.setdefault(host.host, []).extend(found)
    asked = [sessions[name] for name, found in wanted.items() if found]
    outcomes = fan_out(asked, lambda session: _contents(session, list(dict.fromkeys(wanted[session.name]))))
    # A plan without a diff is still a plan.
    return {name: outcome.value for name, outcome in outcomes.items() if outcome.value is not None}


def _unseen(actions: Iterable[object], facts: HostFacts) -> Iterable[str]:
    """Yield the paths of text that changes and that the probe did not show; never a secret's."""
    for action in actions:
        if not isinstance(action, WriteFiles):
            continue
        for spec in action.files:
            fact = facts.files.get(spec.path)
            if (
                isinstance(spec.content, bytes)
                and not spec.secret
                and not is_own(spec)
                and fact is not None
                and not fact.directory
                and fact.content is None
                and fact.size <= MOST_BYTES
                and fact.sha256 != sha256(spec.content)
            ):
                yield spec.path


def is_own(spec: FileSpec) -> bool:
    """Say whether a file is a note of ours that nobody else reads."""
    return spec.path.startswith(f"{paths.STATE_DIR}/")


def _contents(session: Session, wanted: list[str]) -> dict[str, bytes]:
    script = f"""# read what a plan changes
for path in {shlex.join(wanted)}; do
  printf '%s\\n' "$(head -c {MOST_BYTES + 1} -- "$path" 2>/dev/null | base64 -w0)"
done
"""
    try:
        result = session.host.run(script, timeout=_TIMEOUT_SECONDS)
    except KubeadmPyError:
        return {}
    lines = result.stdout.splitlines()
    if not result.ok or len(lines) != len(wanted):
        return {}
    return {path: base64.b64decode(line) for path, line in zip(wanted, lines, strict=True)}
