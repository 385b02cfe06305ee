"""Know which flags each component of a Kubernetes minor has, and of which type their values are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kubeadm_py.config.removed_flags import KUBERNETES_COMPONENTS

COMPONENTS = (*KUBERNETES_COMPONENTS, "etcd")
TABLES = Path(__file__).with_name("component_flags_tables")
_PLUGIN = "admission-plugin:"


@cache
def flags_of(minor: str, component: str) -> Mapping[str, str]:
    """Return the component's flags with the types of their values; empty where no table is kept.

    Types: bool, int, uint, float, duration, ip, and text for whatever else.
    """
    return {flag: type_ for flag, type_ in _rows(minor).get(component, ()) if not flag.startswith(_PLUGIN)}


@cache
def admission_plugins(minor: str) -> frozenset[str]:
    """Return the admission plugins that kube-apiserver knows; empty where no table is kept."""
    rows = _rows(minor).get("kube-apiserver", ())
    return frozenset(flag.removeprefix(_PLUGIN) for flag, _ in rows if flag.startswith(_PLUGIN))


@cache
def _rows(minor: str) -> Mapping[str, list[tuple[str, str]]]:
    try:
        text = (TABLES / f"{minor}.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    rows: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            component, flag, type_ = line.split()
            rows.setdefault(component, []).append((flag, type_))
    return rows
