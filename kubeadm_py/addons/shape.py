"""Change rendered objects as objects: labels, pull secrets, tolerations, images, wherever pods are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

LABEL = "kubeadm-py.io/addon"
MANAGED_BY = "app.kubernetes.io/managed-by"
PRODUCT = "kubeadm-py"

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
}
"""Kind -> where its pods are described."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def label(document: dict[str, Any], name: str) -> None:
    """Mark an object as the add-on's."""
    labels = document["metadata"].setdefault("labels", {})
    labels.setdefault(LABEL, name)
    labels.setdefault(MANAGED_BY, PRODUCT)


def for_pods(
    document: dict[str, Any],
    *,
    pull_secrets: Sequence[str],
    tolerations: Sequence[Mapping[str, Any]],
    images: Mapping[str, str],
) -> None:
    """Give all pods that come of an object these pull secrets and tolerations, and other images.

    Service accounts get the secrets too: an operator's pods, which nobody sees here, run as them. `images`
    are references that are replaced.
    """
    if not (pull_secrets or tolerations or images):
        return

    def change(pod: dict[str, Any]) -> None:
        _merge(pod, "imagePullSecrets", [{"name": name} for name in pull_secrets])
        _merge(pod, "tolerations", tolerations)
        for container in _containers(pod):
            container["image"] = images.get(container.get("image", ""), container.get("image", ""))

    if document["kind"] == "ServiceAccount":
        _merge(document, "imagePullSecrets", [{"name": name} for name in pull_secrets])
    _each_pod(document, change)


def container_images(document: Mapping[str, Any]) -> list[str]:
    """List the images of an object's containers, those of manifests inside ConfigMaps included."""
    found: list[str] = []

    def look(pod: dict[str, Any]) -> None:
        found.extend(str(each["image"]) for each in _containers(pod) if each.get("image"))

    _each_pod(document, look)
    return found


def _each_pod(document: Mapping[str, Any], visit: Callable[[dict[str, Any]], None]) -> None:
    kind = str(document.get("kind"))
    if kind in TEMPLATES:
        place: Any = document
        for key in TEMPLATES[kind]:
            place = place.get(key) if isinstance(place, Mapping) else None
        if isinstance(place, dict):
            visit(place)
    elif kind == "ConfigMap" and isinstance(document.get("data"), dict):
        for key, text in document["data"].items():
            document["data"][key] = _in_text(text, visit)


def _in_text(text: Any, visit: Callable[[dict[str, Any]], None]) -> Any:
    """Visit the pods of a manifest that a ConfigMap holds for a controller; other text stays as it is."""
    if not isinstance(text, str) or "kind" not in text or "containers" not in text:
        return text
    try:
        inner = list(yaml.load_all(text, yaml.CSafeLoader))
    except yaml.YAMLError:
        return text
    if not all(isinstance(each, dict) and each.get("kind") for each in inner):
        return text
    before = json.dumps(inner, default=str)
    for each in inner:
        _each_pod(each, visit)
    if json.dumps(inner, default=str) == before:
        return text
    return yaml.dump_all(inner, Dumper=yaml.CSafeDumper, sort_keys=False)


def _containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in _CONTAINERS:
        yield from (each for each in pod.get(key) or () if isinstance(each, dict))


def _merge(place: dict[str, Any], key: str, wanted: Sequence[Mapping[str, Any]]) -> None:
    have = place.get(key) or []
    more = [dict(each) for each in wanted if each not in have]
    if more:
        place[key] = [*have, *more]
