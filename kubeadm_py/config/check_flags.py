"""Refuse extra arguments with which a component would not start: no such flag, or no such value of it.

A component that gets one exits at once, again and again; kubeadm waits minutes for it and cannot say why.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from kubeadm_py.config import durations
from kubeadm_py.config.component_flags import admission_plugins, flags_of
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.config.removed_flags import UNUSABLE_FLAGS, removed
from kubeadm_py.config.removed_values import (
    AUTHORIZATION_MODES,
    CLOUD_PROVIDERS,
    GONE_FEATURE_GATES,
    GONE_SINCE,
    REMOVED_ADMISSION_PLUGINS,
    REMOVED_FEATURE_GATES,
)
from kubeadm_py.model.near import did_you_mean
from kubeadm_py.model.versions import Version

_BOOLEANS = frozenset(("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"))
_INTEGER = re.compile(r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
LEAVE_OUT = "; leave it out"
_PLUGIN_FLAGS = ("enable-admission-plugins", "disable-admission-plugins")


class Arg(Protocol):
    """Have a name and a value."""

    @property
    def name(self) -> str:
        """Return the flag without dashes."""

    @property
    def value(self) -> str:
        """Return the value as text."""


def check_args(
    place: Place,
    path: Path,
    args: Sequence[Arg],
    component: str,
    version: Version,
    problems: Problems,
    *,
    known_release: bool = True,
) -> None:
    """Add a problem for every argument that the component of this version refuses.

    `known_release` is false where the user brings an image of another release: what a flag is then is not
    known here.
    """
    for index, arg in enumerate(args):
        if problems.full:
            return
        if not arg.name:
            message = "missing; an extra argument has a name and a value"
            problems.missing(place, (*path, index, "name"), message)
            continue
        if not known_release:
            continue
        message = why_not_flag(component, arg.name, version)
        if message:
            problems.error(place, (*path, index), message)
            continue
        message = why_not_value(component, arg.name, arg.value, version)
        if message and arg.value:
            problems.error(place, (*path, index, "value"), message)
        elif message:
            problems.missing(place, (*path, index), message)


def why_not_flag(component: str, name: str, version: Version) -> str:
    """Say why the component cannot be given this flag; empty where it can, or where that is not known."""
    flag = _normal(component, name)
    who = f"{component} {version.minor_text}" if component != "etcd" else "etcd"
    gone = removed(component, flag, version)
    if gone is not None:
        when = f" (removed in {gone.release})" if gone.release else " any more"
        instead = gone.instead()
        return f"{who} has no flag {name}{when}" + (f"; {instead}" if instead else "")
    unusable = UNUSABLE_FLAGS.get(component, {}).get(flag)
    if unusable:
        return f"{name}: {unusable}"
    known = flags_of(version.minor_text, component)
    if known and flag not in known:
        return f"{who} has no flag {name}{did_you_mean(flag, known)}"
    return ""


def why_not_value(component: str, name: str, value: str, version: Version) -> str:
    """Say why the flag of the component does not take this value; empty where it does, as far as is known."""
    flag = _normal(component, name)
    type_ = flags_of(version.minor_text, component).get(flag, "text")
    wanted = _WANTED.get(type_)
    if wanted is not None and not wanted[1](value):
        found = show(value) if value else "nothing"
        return f"{found} where {component}'s {name} takes {wanted[0]}"
    if component == "kube-apiserver" and flag in _PLUGIN_FLAGS:
        return _why_not_plugins(value, version)
    if component == "kube-apiserver" and flag == "authorization-mode":
        return next(
            (
                f"{show(mode)} is no authorization mode: {', '.join(AUTHORIZATION_MODES)}"
                f"{did_you_mean(mode, AUTHORIZATION_MODES)}"
                for mode in value.split(",")
                if mode not in AUTHORIZATION_MODES
            ),
            "",
        )
    if flag == "cloud-provider" and value not in CLOUD_PROVIDERS:
        return (
            f"{show(value)}: Kubernetes has no cloud providers of its own since 1.31; "
            "external is accepted, with a cloud controller manager"
        )
    if flag == "feature-gates" and component != "etcd":
        return why_not_gates(value, version)
    return ""


def why_not_gates(value: str, version: Version) -> str:
    """Say which feature gate of `Name=true,...` is gone; empty where none is known to be."""
    for part in value.split(","):
        name = part.partition("=")[0].strip().removeprefix("kube:")
        message = why_not_gate(name, version)
        if message:
            return message
    return ""


def check_gates(
    place: Place, gates: Iterable[str], version: Version, problems: Problems, path: Path = ("featureGates",)
) -> None:
    """Add a problem for every feature gate of a component's that is gone."""
    for gate in gates:
        message = why_not_gate(gate, version)
        if message and not problems.full:
            problems.error(place, (*path, gate), message)


def why_not_gate(name: str, version: Version) -> str:
    """Say in which release a component's feature gate went; empty where it is not known to be gone."""
    if name in GONE_FEATURE_GATES and (version.major, version.minor) >= GONE_SINCE:
        return f"{version.minor_text} has no feature gate {name} any more{LEAVE_OUT}"
    last = REMOVED_FEATURE_GATES.get(name)
    if last is None or (version.major, version.minor) <= tuple(int(part) for part in last.split(".")):
        return ""
    return f"there is no feature gate {name} after {last}{LEAVE_OUT}"


def _why_not_plugins(value: str, version: Version) -> str:
    known = admission_plugins(version.minor_text)
    for plugin in (part.strip() for part in value.split(",")):
        if not known or plugin in known or not plugin:
            continue
        gone = REMOVED_ADMISSION_PLUGINS.get(plugin)
        what = f"kube-apiserver {version.minor_text} has no admission plugin {plugin}"
        return f"{what} ({gone})" if gone else what + did_you_mean(plugin, known)
    return ""


def _normal(component: str, name: str) -> str:
    """Return the name as the component reads it: Kubernetes' take underscores for dashes."""
    return name if component == "etcd" else name.replace("_", "-")


def _is_duration(text: str) -> bool:
    try:
        durations.parse_duration(text.removeprefix("-"))
    except ValueError:
        return False
    return True


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return not text
    return True


_WANTED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "bool": ("true or false", _BOOLEANS.__contains__),
    "int": ("a whole number", lambda text: bool(_INTEGER.fullmatch(text.lstrip("+-")))),
    "uint": ("a whole number that is not negative", lambda text: bool(_INTEGER.fullmatch(text))),
    "float": ("a number", lambda text: bool(_FLOAT.fullmatch(text))),
    "duration": ("a duration like 90s or 1h30m0s", _is_duration),
    "ip": ("an IP address", _is_ip),
}
