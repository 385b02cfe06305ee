"""Take over what the API's objects say: ConfigMaps of configs, CoreDNS's size, labels and taints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kubeadm_py.model import keys
from kubeadm_py.model import live as live_model
from kubeadm_py.model.actions import ApplyObjects
from kubeadm_py.model.adoption import CLUSTER_DOCUMENT, Found, Left, Setting
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.keys import KeyPath
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import Node
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.show import why
from kubeadm_py.plan.show.before import Before
from kubeadm_py.render import objects
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.base import is_so
from kubeadm_py.steps.nodes import mark as mark_node

_COREDNS = "Deployment kube-system/coredns"
_CONFIG_MAPS = {name: kind for kind, (name, _) in why.LIVE_FORMS.items()}
_FIXED: tuple[KeyPath, ...] = (
    ("certificatesDir",),
    ("clusterName",),
    ("controlPlaneEndpoint",),
    ("etcd", "local", "dataDir"),
    ("kubernetesVersion",),
    ("networking",),
)
"""Keys that say what a cluster was made with: a hand in the ConfigMap changes nothing of it."""


def take_config_maps(
    found: Found, plan: Plan, cluster: ResolvedCluster, live: LiveObjects | None
) -> Iterator[str]:
    """Take over ConfigMaps that hold a configuration; yield the objects that were dealt with."""
    by_hand = {
        name
        for _, action in plan.actions()
        if isinstance(action, ApplyObjects)
        for name, reason in action.why.items()
        if reason == cluster_objects.BY_HAND
    }
    now = why.forms(cluster)
    for name in sorted(by_hand & _CONFIG_MAPS.keys()):
        kind = _CONFIG_MAPS[name]
        there = why.live_form(live, kind)
        if there is None:
            continue
        yield name
        for path in keys.changed(now[kind], there):
            if path in (("apiVersion",), ("kind",)) or any(path[: len(each)] == each for each in _FIXED):
                found.left.append(Left(name, f"{keys.text(path)} says what the cluster was made with"))
            else:
                found.settings.append(Setting(kind, path, _value(there, path), name))


def _value(there: dict[str, Any], path: KeyPath) -> Any:
    value = keys.value(there, path)
    # A flag of kubeadm's lists is an item of a name and a value.
    return value.get("value") if isinstance(value, Mapping) and value.keys() == {"name", "value"} else value


def take_dns(found: Found, cluster: ResolvedCluster, live: LiveObjects | None) -> Iterator[str]:
    """Take over how many pods CoreDNS was scaled to; yield its Deployment where nothing else differs."""
    there = live.there.get(_COREDNS) if live is not None else None
    replicas = there["spec"].get("replicas") if there is not None else None
    if live is None or there is None or not replicas or replicas == _replicas(cluster):
        return
    if _replicas(cluster, replicas) != replicas:
        found.left.append(Left(_COREDNS, "a patch says how many replicas it has"))
        return
    found.settings.append(Setting(CLUSTER_DOCUMENT, ("spec", "dns", "replicas"), replicas, _COREDNS))
    would_be = live.merged.get(_COREDNS, there)
    if live_model.same({**would_be, "spec": {**would_be["spec"], "replicas": replicas}}, there):
        yield _COREDNS


def _replicas(cluster: ResolvedCluster, scaled: int = 0) -> int:
    rendered = objects.coredns(cluster, replicas=scaled)
    return next(int(item["spec"]["replicas"]) for item in rendered if item["kind"] == "Deployment")


def take_nodes(
    found: Found,
    cluster: ResolvedCluster,
    live: LiveObjects | None,
    leader: Before | None,
    chosen: Sequence[str],
) -> Iterator[str]:
    """Take over labels and taints of ours that somebody changed or took off."""
    for node in cluster.nodes:
        there = live.there.get(f"Node {node.name}") if live is not None else None
        if there is None or leader is None or (chosen and node.name not in chosen):
            continue
        if not is_so(mark_node.marker(node), leader.facts):
            continue
        yield from _labels(found, node, there)
        yield from _taints(found, node, there)


def _labels(found: Found, node: Node, there: Mapping[str, Any]) -> Iterator[str]:
    labels = there["metadata"].get("labels") or {}
    for name, value in mark_node.labels_of(node).items():
        if labels.get(name) == value:
            continue
        subject = f"label {name} of {node.name}"
        yield subject
        if name in node.labels:
            path = ("spec", "hosts", node.name, "labels", name)
            found.settings.append(Setting(CLUSTER_DOCUMENT, path, labels.get(name), subject))
        else:
            found.left.append(Left(subject, "every control plane has it, and kubeadm goes by it"))


def _taints(found: Found, node: Node, there: Mapping[str, Any]) -> Iterator[str]:
    listed = there["spec"].get("taints") or ()
    live = {(each["key"], each["effect"]): each.get("value", "") for each in listed}
    kept = [taint for taint in node.effective_taints if (taint.key, taint.effect) in live]
    changed = [taint for taint in kept if live[taint.key, taint.effect] != taint.value]
    if len(kept) == len(node.effective_taints) and not changed:
        return
    subject = f"taints of {node.name}"
    yield subject
    if node.taints_registered:
        return
    value = [replace(taint, value=live[taint.key, taint.effect]).manifest for taint in kept]
    found.settings.append(Setting(CLUSTER_DOCUMENT, ("spec", "hosts", node.name, "taints"), value, subject))
