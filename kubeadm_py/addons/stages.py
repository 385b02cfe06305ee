"""Sort an add-on's objects by when they can be applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAMESPACE = "Namespace"
TYPE = "CustomResourceDefinition"
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")

BUILT_IN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
"""API groups that every API server has; objects of others need a CustomResourceDefinition first."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Hold the objects of an add-on by stage, each in the order of its manifests."""

    types: tuple[Mapping[str, Any], ...]
    workloads: tuple[Mapping[str, Any], ...]
    """Everything that an API server knows by itself; namespaces come first."""
    custom_resources: tuple[Mapping[str, Any], ...]


def split(objects: Iterable[Mapping[str, Any]]) -> Stages:
    """Sort objects into stages."""
    items = list(objects)
    types = tuple(item for item in items if item["kind"] == TYPE)
    custom = tuple(item for item in items if not is_built_in(item))
    workloads = [item for item in items if item["kind"] != TYPE and is_built_in(item)]
    workloads.sort(key=lambda item: item["kind"] != NAMESPACE)
    return Stages(types, tuple(workloads), custom)


def is_built_in(item: Mapping[str, Any]) -> bool:
    """Say whether every API server knows the object's kind."""
    group, slash, _ = str(item["apiVersion"]).rpartition("/")
    return (group if slash else "") in BUILT_IN_GROUPS


def webhook_services(objects: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """List (namespace, name) of the services that must have endpoints before custom resources are taken."""
    return tuple(dict.fromkeys(_services(objects)))


def _services(objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in objects:
        clients = []
        if item["kind"] in _WEBHOOKS:
            clients = [each.get("clientConfig", {}) for each in item.get("webhooks") or ()]
        elif item["kind"] == TYPE:
            conversion = item.get("spec", {}).get("conversion", {}).get("webhook", {})
            clients = [conversion.get("clientConfig", {})]
        for client in clients:
            service = client.get("service")
            if service:
                yield service["namespace"], service["name"]
