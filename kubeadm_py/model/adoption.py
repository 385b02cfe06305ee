"""Describe what was changed by hand in a cluster in terms of the config that can say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubeadm_py.model.keys import KeyPath

CLUSTER_DOCUMENT = "Cluster"


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
