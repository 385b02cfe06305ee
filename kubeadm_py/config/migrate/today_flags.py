"""Bring the extra arguments of old files up to today: rename, mend or drop what components refuse now."""

from __future__ import annotations

from kubeadm_py.config.check_flags import LEAVE_OUT, why_not_flag, why_not_gate
from kubeadm_py.config.component_flags import admission_plugins
from kubeadm_py.config.migrate.notes import Notes
from kubeadm_py.config.migrate.rules import at
from kubeadm_py.config.migrate.tree import OldDocument, Value
from kubeadm_py.config.removed_flags import removed
from kubeadm_py.config.removed_values import CLOUD_PROVIDERS, REMOVED_ADMISSION_PLUGINS
from kubeadm_py.model.versions import Version

_COMPONENTS = {
    "ClusterConfiguration": {
        "apiServer.extraArgs": "kube-apiserver",
        "controllerManager.extraArgs": "kube-controller-manager",
        "scheduler.extraArgs": "kube-scheduler",
        "etcd.local.extraArgs": "etcd",
    },
    "InitConfiguration": {"nodeRegistration.kubeletExtraArgs": "kubelet"},
    "JoinConfiguration": {"nodeRegistration.kubeletExtraArgs": "kubelet"},
}
_ADMISSION = "admission-control"
_ENABLE = "enable-admission-plugins"
_PLUGIN_FLAGS = (_ENABLE, "disable-admission-plugins")
_NODE_RESTRICTION = "NodeRestriction"
_RUNTIME_ENDPOINT = "container-runtime-endpoint"


def bring_flags_up(document: OldDocument, version: Version, notes: Notes) -> None:
    """Rename, mend or drop the arguments that the components of this version refuse."""
    for dotted, component in _COMPONENTS.get(document.kind, {}).items():
        flags = document.get(at(dotted))
        if flags is None or not isinstance(flags.content, list):
            continue
        if component == "kubelet":
            _runtime(document, flags, notes)
        for argument in list(flags.items):
            _argument(flags, argument, component, version, notes)
        if not flags.items:
            document.take(at(dotted))


def _argument(flags: Value, argument: Value, component: str, version: Version, notes: Notes) -> None:
    name, value = argument.mapping.get("name"), argument.mapping.get("value")
    if name is None or value is None:
        return
    flag = name.text if component == "etcd" else name.text.replace("_", "-")
    gone = removed(component, flag, version)
    if gone is not None and gone.flag and not _has(flags, gone.flag):
        when = f" went in {gone.release}" if gone.release else " is gone"
        notes.changed(argument, f"{component}'s {name.text}{when}; {gone.flag} takes its value")
        name.content = gone.flag
    elif gone is not None:
        flags.items.remove(argument)
        notes.dropped(argument, why_not_flag(component, name.text, version))
    elif component == "kube-apiserver" and flag == _ADMISSION:
        _admission(flags, argument, name, value, version, notes)
    elif component == "kube-apiserver" and flag in _PLUGIN_FLAGS:
        _plugins(flags, argument, value, version, notes)
    elif flag == "cloud-provider" and value.text not in CLOUD_PROVIDERS:
        flags.items.remove(argument)
        notes.ask(
            argument,
            f"{value.text}: Kubernetes has no cloud providers of its own since 1.31; where the cloud has a "
            "cloud controller manager, install it and write external",
        )
    elif flag == "feature-gates" and component != "etcd":
        _gates(flags, argument, value, version, notes)


def _has(flags: Value, name: str) -> bool:
    return any(other.mapping["name"].text == name for other in flags.items if "name" in other.mapping)


def _admission(
    flags: Value, argument: Value, name: Value, value: Value, version: Version, notes: Notes
) -> None:
    """Make the ordered list of old a list of plugins to enable; kubeadm's own one stays in it."""
    if _has(flags, _ENABLE):
        flags.items.remove(argument)
        notes.dropped(argument, f"it cannot go with {_ENABLE}, which is given too")
        return
    name.content = _ENABLE
    plugins = [plugin.strip() for plugin in value.text.split(",") if plugin.strip()]
    value.content = ",".join(dict.fromkeys([*plugins, _NODE_RESTRICTION]))
    notes.changed(argument, f"{_ENABLE}; the order is fixed, and what is on by default stays on")
    _plugins(flags, argument, value, version, notes)


def _plugins(flags: Value, argument: Value, value: Value, version: Version, notes: Notes) -> None:
    plugins = [plugin.strip() for plugin in value.text.split(",")]
    gone = [plugin for plugin in plugins if plugin in REMOVED_ADMISSION_PLUGINS]
    known = admission_plugins(version.minor_text)
    gone = [plugin for plugin in gone if plugin not in known]
    for plugin in gone:
        notes.dropped(argument, f"admission plugin {plugin}: {REMOVED_ADMISSION_PLUGINS[plugin]}")
    _keep(flags, argument, value, [plugin for plugin in plugins if plugin not in gone])


def _gates(flags: Value, argument: Value, value: Value, version: Version, notes: Notes) -> None:
    kept = []
    for gate in value.text.split(","):
        why = why_not_gate(gate.partition("=")[0].strip().removeprefix("kube:"), version)
        if why:
            notes.dropped(argument, why.removesuffix(LEAVE_OUT))
        else:
            kept.append(gate)
    _keep(flags, argument, value, kept)


def _keep(flags: Value, argument: Value, value: Value, parts: list[str]) -> None:
    """Write what is left of a list; without anything left the argument goes."""
    value.content = ",".join(parts)
    if not any(parts):
        flags.items.remove(argument)


def _runtime(document: OldDocument, flags: Value, notes: Notes) -> None:
    """Let criSocket name the runtime where only the kubelet's flag did."""
    socket = ("nodeRegistration", "criSocket")
    for argument in list(flags.items):
        name, value = argument.mapping.get("name"), argument.mapping.get("value")
        if name is None or value is None or name.text != _RUNTIME_ENDPOINT or not value.text:
            continue
        flags.items.remove(argument)
        if document.get(socket) is not None:
            notes.dropped(argument, "criSocket says it")
            continue
        endpoint = value.text if "://" in value.text else f"unix://{value.text}"
        document.put(socket, Value(endpoint, argument.line, argument.column, argument.was))
