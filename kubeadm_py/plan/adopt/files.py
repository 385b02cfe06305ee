"""Take over what the files of hosts say: flags of static pods, settings of the kubelet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from kubeadm_py.model import keys, paths
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.adoption import NO_FIELD, NOT_ALONE, WITHHELD, Found, Left, Setting
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.keys import KeyPath
from kubeadm_py.plan.show import why
from kubeadm_py.plan.show.before import Before

_COMPONENTS: Mapping[str, KeyPath] = {
    f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml": ("apiServer",),
    f"{paths.MANIFESTS_DIR}/kube-controller-manager.yaml": ("controllerManager",),
    f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml": ("scheduler",),
    f"{paths.MANIFESTS_DIR}/etcd.yaml": ("etcd", "local"),
}


def take_file(found: Found, spec: FileSpec, host: str, before: Before) -> bool:
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
    found: Found, path: str, component: KeyPath, ours: dict[str, Any], there: dict[str, Any]
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


def agree(found: Found, cluster: ResolvedCluster, present: Collection[str], chosen: Sequence[str]) -> None:
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
