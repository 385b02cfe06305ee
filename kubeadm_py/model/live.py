"""Compare the API objects that we want with those that a cluster has, and read what these say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Object = Mapping[str, Any]

_OTHERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
"""Metadata that only the API server writes."""
_COUNTERS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
"""Annotations that controllers count with."""
CONTROLLERS = ("kube-controller-manager", "kubelet", "kube-scheduler", "kube-apiserver")
"""Who writes into objects without a person behind it."""


def key(item: Object) -> str:
    """Name an object as `KIND NAMESPACE/NAME`."""
    metadata = item.get("metadata") or {}
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind')} {namespace}{metadata.get('name')}"


def stub(item: Object) -> Object:
    """Return what tells an object apart, in a form that kubectl takes."""
    metadata = item.get("metadata") or {}
    kept = {name: metadata[name] for name in ("name", "namespace") if metadata.get(name)}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept}


@dataclass(frozen=True, slots=True)
class LiveObjects:
    """Hold what a cluster has of the objects that we apply: by `key`, those that are there.

    `merged` has, for those that are not as we want them, what a server-side apply would make of them. What
    the API server would leave as it is stands in neither `merged` nor `missing`.
    """

    there: Mapping[str, Object] = field(default_factory=dict)
    merged: Mapping[str, Object] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    def differs(self, name: str) -> bool:
        """Say whether applying ours would change the object of this key, or make it."""
        return name in self.merged or name in self.missing


def lacks(wanted: Any, there: Any) -> bool:
    """Say whether `there` may not be what `wanted` asks for.

    Fields that only others write do not count. Where this says no, an apply changes nothing; where it says
    yes, only the API server can tell: it writes a quantity or an empty field in its own way.
    """
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            return bool(wanted) or there is not None
        return any(lacks(value, there.get(name)) for name, value in wanted.items() if value is not None)
    if isinstance(wanted, list | tuple):
        if not wanted and there is None:
            return False
        if not isinstance(there, list | tuple) or len(wanted) != len(there):
            return True
        return any(map(lacks, wanted, there))
    return bool(wanted != there)


def cleaned(item: Object) -> dict[str, Any]:
    """Return an object without what the API server alone writes: what two forms of it are compared by."""
    metadata = {name: value for name, value in (item.get("metadata") or {}).items() if name not in _OTHERS}
    annotations = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name not in _COUNTERS
    }
    metadata = {**metadata, "annotations": annotations} if annotations else _without(metadata, "annotations")
    return {**_without(item, "status"), "metadata": metadata}


def same(one: Object, other: Object) -> bool:
    """Say whether two forms of an object say the same, configurations in a ConfigMap in whatever order."""
    first, second = cleaned(one), cleaned(other)
    if one.get("kind") == "ConfigMap":
        first["data"], second["data"] = _said(first.get("data")), _said(second.get("data"))
    return first == second


def _said(data: Any) -> Any:
    return {key: _read(text) for key, text in data.items()} if isinstance(data, Mapping) else data


def _read(text: Any) -> Any:
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader) if isinstance(text, str) else None
    except yaml.YAMLError:
        return text
    return document if isinstance(document, dict) else text


def _without(item: Object, name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def last_writer(item: Object, ours: str) -> str:
    """Say who wrote an object last, and when, but for us and the cluster's controllers; else nothing."""
    entries = [
        (str(entry.get("time", "")), str(entry.get("manager", "")))
        for entry in (item.get("metadata") or {}).get("managedFields") or ()
        if entry.get("manager") not in (ours, *CONTROLLERS) and entry.get("subresource", "") != "status"
    ]
    when, who = max(entries, default=("", ""))
    return f"by {who} since {when[:16].replace('T', ' ')} UTC" if who else ""


def is_ready(node: Any) -> bool:
    """Say whether a Node object's condition Ready is True; what is no Node is not Ready."""
    try:
        conditions = node["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    except (KeyError, TypeError):
        return False
