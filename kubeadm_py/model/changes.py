"""Describe what a plan would change, in the words that people and machines read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sign(StrEnum):
    """Say at a glance what happens to a subject."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"
    DRIFT = "!"
    """It is not as it was made by the last run: somebody changed or removed it by hand."""
    DO = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """Name one thing that would change: `sign` is `+` new, `~` changed, `-` removed, `!` drift, `*` done.

    `kind` is file, directory, unit, setting, object, node, images, member or script; `subject` is its path or
    name. `because` says why, `details` what else is known ("mode 0644 -> 0600"). `diff` is a unified diff of
    text that holds no secret; of a secret `details` have the hashes. `size` counts the bytes of a new file.
    `step` is the step that planned it. `own` is true for what kubeadm-py only notes for itself.
    """

    sign: Sign
    kind: str
    subject: str
    because: str = ""
    details: tuple[str, ...] = ()
    diff: str = ""
    size: int = 0
    step: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class HostChanges:
    """Hold the changes of one host in their order; `restarts` names what goes down for a moment."""

    host: str
    changes: tuple[Change, ...]
    restarts: tuple[str, ...] = ()
