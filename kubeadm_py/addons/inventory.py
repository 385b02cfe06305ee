"""Keep in the cluster what an add-on has brought there: one ConfigMap for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.addons.shape import LABEL, MANAGED_BY, PRODUCT
from kubeadm_py.model.digest import sha256

NAMESPACE = "kube-system"
INVENTORY_LABEL = "kubeadm-py.io/inventory"
SELECTOR = f"{INVENTORY_LABEL}=addon"

KEPT_KINDS = frozenset(
    {
        "CustomResourceDefinition",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "StorageClass",
    }
)
"""With these goes what users have put there, or what their claims need: removed only when asked."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Name an API object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Ref:
        """Return the name of an object."""
        metadata = item["metadata"]
        return cls(item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"])

    @property
    def stub(self) -> dict[str, Any]:
        """Return an object that kubectl finds or deletes the real one by."""
        namespace = {"namespace": self.namespace} if self.namespace else {}
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": {"name": self.name, **namespace},
        }

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what stays the same when an object's API gets another version."""
        group, slash, _ = self.api_version.rpartition("/")
        return (group if slash else "", self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hold what is known of an add-on in the cluster."""

    name: str
    version: str
    parameters: str
    """Digest of its parameters."""
    manifests: str
    """Digest of its objects as they were applied."""
    objects: tuple[Ref, ...]
    """In the order in which they were applied; what is being taken out stays listed until it is gone."""
    provides: tuple[str, ...] = ()
    """The add-on's capabilities; inventories of earlier versions list none."""

    def surplus(self, wanted: Iterable[Ref]) -> tuple[Ref, ...]:
        """List what is here and not wanted any more, in the order in which to delete it."""
        known = {ref.key for ref in wanted}
        return tuple(ref for ref in reversed(self.objects) if ref.key not in known)


def config_map_name(addon: str) -> str:
    """Return the name of an add-on's inventory."""
    return f"kubeadm-py-addon-{addon}"


def config_map(inventory: Inventory) -> dict[str, Any]:
    """Return the object that keeps an inventory."""
    listed = [[ref.api_version, ref.kind, ref.namespace, ref.name] for ref in inventory.objects]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(inventory.name),
            "namespace": NAMESPACE,
            "labels": {LABEL: inventory.name, INVENTORY_LABEL: "addon", MANAGED_BY: PRODUCT},
        },
        "data": {
            "version": inventory.version,
            "parameters": inventory.parameters,
            "manifests": inventory.manifests,
            "objects": json.dumps(listed, separators=(",", ":")),
            "provides": ",".join(inventory.provides),
        },
    }


def is_one(item: Mapping[str, Any]) -> bool:
    """Say whether an object of the cluster is an add-on's inventory."""
    labels = item.get("metadata", {}).get("labels") or {}
    return item.get("kind") == "ConfigMap" and labels.get(INVENTORY_LABEL) == "addon"


def parse(item: Mapping[str, Any]) -> Inventory | None:
    """Return the inventory in a ConfigMap, or None where somebody has made something else of it."""
    data = item.get("data") or {}
    name = item.get("metadata", {}).get("labels", {}).get(LABEL, "")
    try:
        listed = json.loads(data["objects"])
        refs = tuple(Ref(*(str(part) for part in each)) for each in listed)
        provides = tuple(filter(None, str(data.get("provides") or "").split(",")))
        known = Inventory(name, data["version"], data["parameters"], data["manifests"], refs, provides)
    except (KeyError, TypeError, ValueError):
        return None
    return known if name else None


def digest(value: Any) -> str:
    """Return the digest of plain values."""
    return sha256(json.dumps(value, sort_keys=True, default=str).encode())[:32]


def removable(refs: Sequence[Ref], *, purge: bool = False) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
    """Return (what to delete, what stays because people's data goes with it); with `purge` nothing stays."""
    gone = tuple(ref for ref in refs if purge or ref.kind not in KEPT_KINDS)
    return gone, tuple(ref for ref in refs if ref not in gone)
