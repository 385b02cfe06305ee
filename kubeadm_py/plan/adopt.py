"""Find what of the drift a config can say: flags, settings of kubelet and kube-proxy, labels and taints."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kubeadm_py.model import keys, paths
from kubeadm_py.model import live as live_model
from kubeadm_py.model.actions import ApplyObjects, FileSpec, WriteFiles
from kubeadm_py.model.adoption import CLUSTER_DOCUMENT, Adoption, Left, Setting
from kubeadm_py.model.changes import Change, Sign
from kubeadm_py.model.cluster import Node, ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.keys import KeyPath
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan import file_changes, show, why
from kubeadm_py.plan.before import Before
from kubeadm_py.render import objects
from kubeadm_py.steps import cluster_objects, mark_node
from kubeadm_py.steps.base import is_so

_COMPONENTS: Mapping[str, KeyPath] = {
    f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml": ("apiServer",),
    f"{paths.MANIFESTS_DIR}/kube-controller-manager.yaml": ("controllerManager",),
    f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml": ("scheduler",),
    f"{paths.MANIFESTS_DIR}/etcd.yaml": ("etcd", "local"),
}
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
NO_FIELD = "no field of the config says this"
NOT_ALONE = "the config has changed here, too: apply it, or take that back first"
WITHHELD = "lines of it hold a credential, which is not read"


@dataclass(slots=True)
class _Found:
    """Collect what hosts that share a setting have: they must agree."""

    settings: list[Setting] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    shared: dict[str, dict[str, dict[tuple[str, KeyPath], Any]]] = field(default_factory=dict)
    """Subject -> host -> (kind, path) -> value."""


def adoption(
    plan: Plan,
    before: Mapping[str, Before],
    cluster: ResolvedCluster,
    live: LiveObjects | None,
    leader: str,
    chosen: Sequence[str] = (),
) -> Adoption:
    """Return what the config can take over of all that was changed by hand.

    What all hosts of a kind share must be the same on all of them, or on those that are `chosen`: the others
    follow with the next apply.
    """
    found = _Found()
    handled: set[str] = set()
    for host, action in _actions(plan):
        known = before.get(host)
        if known is None or (chosen and host not in chosen):
            continue
        if isinstance(action, WriteFiles):
            for spec in action.files:
                if file_changes.drift(spec, known) and _of_file(found, spec, host, known):
                    handled.add(spec.path)
    _agreed(found, cluster, before.keys(), chosen)
    if not chosen or leader in chosen:
        handled |= set(_of_objects(found, plan, cluster, live))
    if not chosen or leader in chosen:
        handled |= set(_of_dns(found, cluster, live))
    handled |= set(_of_nodes(found, cluster, live, before.get(leader), chosen))
    told = show.tell(plan, before)
    hosts = [host for host in told.hosts if not chosen or host.host in chosen]
    asked = told.objects if not chosen or leader in chosen else ()
    for change in (*(each for host in hosts for each in host.changes), *asked):
        if change.sign is Sign.DRIFT and change.subject not in handled and change.kind != "node":
            found.left.append(Left(change.subject, _reason(change)))
    return Adoption(tuple(found.settings), tuple(dict.fromkeys(found.left)))


def _reason(change: Change) -> str:
    return NO_FIELD if change.kind != "unit" else "a unit's state is no setting"


def _actions(plan: Plan) -> Iterator[tuple[str, object]]:
    for stage in plan.stages:
        for host in stage.hosts:
            for step in host.steps:
                for action in step.actions:
                    yield host.host, action


def _of_file(found: _Found, spec: FileSpec, host: str, before: Before) -> bool:
    """Take over a file's settings; say whether it is one that the config speaks of."""
    component = _COMPONENTS.get(spec.path)
    if component is None and spec.path != paths.KUBELET_CONFIG:
        return False
    fact = before.facts.files.get(spec.path)
    recorded = before.recorded[spec.path].get("sha256")
    if fact is None or not isinstance(spec.content, bytes):
        return False
    if recorded != sha256(spec.content):
        found.left.append(Left(spec.path, NOT_ALONE))
        return True
    text = fact.content if fact.content is not None else before.contents.get(spec.path)
    there, ours = _document(text), _document(spec.content)
    if fact.partial or there is None or ours is None:
        found.left.append(Left(spec.path, WITHHELD if fact.partial else "it cannot be read as YAML"))
        return True
    if component is None:
        values = {(why.KUBELET, path): keys.value(there, path) for path in keys.changed(ours, there)}
    else:
        values = dict(_flags(found, spec.path, component, ours, there))
    found.shared.setdefault(spec.path, {})[host] = values
    return True


def _flags(
    found: _Found, path: str, component: KeyPath, ours: dict[str, Any], there: dict[str, Any]
) -> Iterator[tuple[tuple[str, KeyPath], Any]]:
    planned, live = _command(ours), _command(there)
    if planned is None or live is None:
        found.left.append(Left(path, "it is no pod of one container"))
        return
    for name in dict.fromkeys((*planned, *live)):
        if planned.get(name) == live.get(name):
            continue
        values = live.get(name, [])
        if len(values) > 1:
            found.left.append(Left(path, f"--{name} is given more than once"))
            continue
        yield (why.CLUSTER, (*component, "extraArgs", name)), values[0] if values else None
    rest = keys.changed(_without_command(ours), _without_command(there))
    others = sorted({keys.text(each) for each in rest})
    if others:
        found.left.append(Left(path, f"besides flags it differs in {', '.join(others)}: {NO_FIELD}"))


def _command(pod: dict[str, Any]) -> dict[str, list[str]] | None:
    """Return a static pod's flags by name; None where it is no such pod."""
    try:
        [container] = pod["spec"]["containers"]
        words = [str(word) for word in container["command"][1:]]
    except (KeyError, TypeError, ValueError):
        return None
    flags: dict[str, list[str]] = {}
    for word in words:
        name, _, value = word.removeprefix("--").partition("=")
        flags.setdefault(name, []).append(value)
    return flags


def _without_command(pod: dict[str, Any]) -> dict[str, Any]:
    spec = pod["spec"]
    [container] = spec["containers"]
    return {**pod, "spec": {**spec, "containers": [{**container, "command": None}]}}


def _document(text: bytes | str | None) -> dict[str, Any] | None:
    try:
        document = yaml.load(text or b"", Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return document if isinstance(document, dict) else None


def _agreed(found: _Found, cluster: ResolvedCluster, present: Collection[str], chosen: Sequence[str]) -> None:
    """Keep the settings that all hosts have which share them."""
    for subject, by_host in found.shared.items():
        sharing = cluster.control_planes if subject in _COMPONENTS else cluster.nodes
        names = [
            node.name for node in sharing if node.name in present and (not chosen or node.name in chosen)
        ]
        for key in dict.fromkeys(key for values in by_host.values() for key in values):
            absent = object()
            values = [by_host.get(name, {}).get(key, absent) for name in names]
            if all(value == values[0] for value in values):
                found.settings.append(Setting(key[0], key[1], values[0], subject))
                continue
            have = [name for name, value in zip(names, values, strict=True) if value is not absent]
            what = keys.text(key[1])
            found.left.append(
                Left(
                    subject,
                    f"{what} is so on {', '.join(have)} only, and the config says it for all: --host chooses",
                )
            )


def _of_objects(
    found: _Found, plan: Plan, cluster: ResolvedCluster, live: LiveObjects | None
) -> Iterator[str]:
    """Take over ConfigMaps that hold a configuration; yield the objects that were dealt with."""
    by_hand = {
        name
        for _, action in _actions(plan)
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


def _of_dns(found: _Found, cluster: ResolvedCluster, live: LiveObjects | None) -> Iterator[str]:
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


def _of_nodes(
    found: _Found,
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


def _labels(found: _Found, node: Node, there: Mapping[str, Any]) -> Iterator[str]:
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


def _taints(found: _Found, node: Node, there: Mapping[str, Any]) -> Iterator[str]:
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
