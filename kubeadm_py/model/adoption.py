"""Describe what was changed by hand in a cluster in terms of the config that can say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.model.keys import KeyPath

CLUSTER_DOCUMENT = "Cluster"
NO_FIELD = "no field of the config says this"
NOT_ALONE = "the config has changed here, too: apply it, or take that back first"
WITHHELD = "lines of it hold a credential, which is not read"


@dataclass(frozen=True, slots=True)
class Setting:
    """Name a key of the config and the value that the cluster has; None takes the key out.

    Items of lists are called by their name: a flag `("apiServer", "extraArgs", "v")`, a host
    `("spec", "hosts", "cp1", ...)`. `subject` is what was changed by hand.
    """

    kind: str
    path: KeyPath
    value: Any
    subject: str


@dataclass(frozen=True, slots=True)
class Left:
    """Name what was changed by hand and no field of the config can say, and why."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """Hold what can be taken into the config, and what cannot."""

    settings: tuple[Setting, ...]
    left: tuple[Left, ...]


@dataclass(slots=True)
class Found:
    """Collect what hosts that share a setting have: they must agree."""

    settings: list[Setting] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    shared: dict[str, dict[str, dict[tuple[str, KeyPath], Any]]] = field(default_factory=dict)
    """Subject -> host -> (kind, path) -> value."""
