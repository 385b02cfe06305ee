"""Say what is wrong with the add-ons that a cluster asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.addons import schema
from kubeadm_py.addons.parameters import ListParameter, accept
from kubeadm_py.addons.schema import (
    COMMON,
    EXCLUSIVE_CAPABILITIES,
    POD_NETWORK,
    REFERENCE,
    REPOSITORY,
    Addon,
)
from kubeadm_py.model import host_needs, kernel
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster

_TOLERATION_KEYS = frozenset({"key", "operator", "value", "effect", "tolerationSeconds"})
_OPERATORS = ("Exists", "Equal")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LONGEST_NAME = 253


def one(addon: Addon, request: AddonRequest, cluster: ResolvedCluster) -> list[str]:
    """Return the problems of one add-on with its parameters in this cluster."""
    problems = []
    if not addon.supports(cluster.kubernetes_version):
        problems.append(
            f"{addon.name} {addon.version} is for Kubernetes {addon.kubernetes}, "
            f"not {cluster.kubernetes_version}"
        )
    if POD_NETWORK in addon.provides:
        problems += _pod_network(addon, cluster)
    for name, value in request.parameters.items():
        where = f"{addon.name}.parameters.{name}"
        if name in COMMON:
            problems += [f"{where}{problem}" for problem in _common(addon, name, value)]
            continue
        parameter = addon.parameters.get(name)
        if parameter is None:
            known = [*addon.parameters, *COMMON]
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else "it has " + ", ".join(sorted(known))
            problems.append(f"{addon.name} has no parameter {name!r}; {hint}")
        elif problem := accept(parameter, value):
            problems.append(f"{where}: {problem}")
    problems += [
        f"{addon.name}.parameters.{name} is not set: {parameter.description}"
        for name, parameter in addon.parameters.items()
        if isinstance(parameter, ListParameter) and parameter.min_items and not request.parameters.get(name)
    ]
    unknown = [need.feature for need in addon.host_needs.kernel if need.feature not in kernel.MODULE_OPTIONS]
    unknown += [
        need.command for need in addon.host_needs.commands if need.command not in host_needs.PROBED_COMMANDS
    ]
    problems += [f"{addon.name}.hostNeeds: {name} is nothing that hosts are asked for" for name in unknown]
    for group in addon.at_most_one_of:
        given = [name for name in group if request.parameters.get(name)]
        if len(given) > 1:
            problems.append(f"{addon.name}: {', '.join(given)} exclude each other; set one of them")
    return problems


def filled_in(addon: Addon, parameters: Mapping[str, Any], cluster: ResolvedCluster) -> list[str]:
    """Return what keeps an add-on with all of its parameters from this cluster's kube-proxy."""
    mode = "none" if cluster.proxy_disabled else str(cluster.kube_proxy_config.get("mode") or "iptables")
    problems = []
    strict = bool((cluster.kube_proxy_config.get("ipvs") or {}).get("strictARP"))
    for need in addon.kube_proxy:
        if not need.applies(dict(parameters)):
            continue
        if need.strict_arp and mode == "ipvs" and not strict:
            problems.append(
                f"{addon.name} with kube-proxy in mode ipvs needs KubeProxyConfiguration ipvs.strictARP: "
                "true; without it every node answers for its addresses"
            )
        if mode not in need.modes:
            chosen = ", ".join(f"{name}: {parameters[name]!r}" for name in need.when)
            wanted = " or ".join(
                "no kube-proxy (ClusterConfiguration: proxy.disabled: true)"
                if each == "none"
                else f"kube-proxy in mode {each}"
                for each in need.modes
            )
            having = "none runs" if mode == "none" else f"its mode is {mode}"
            problems.append(
                f"{addon.name}{f' with {chosen}' if chosen else ''} works with {wanted}, and {having}"
            )
    return problems


def _pod_network(addon: Addon, cluster: ResolvedCluster) -> list[str]:
    networks = cluster.networking.pod_networks
    if not networks:
        return [f"{addon.name} is a pod network and needs networking.podSubnet"]
    served = addon.pod_network.ip_families if addon.pod_network else ["IPv4", "IPv6"]
    return [
        f"{addon.name} serves {' and '.join(served)} only, and networking.podSubnet has {network}"
        for network in networks
        if f"IPv{network.version}" not in served
    ]


def together(addons: Sequence[Addon]) -> list[str]:
    """Return what keeps these add-ons from being in one cluster."""
    problems = []
    providers: dict[str, list[str]] = {}
    for addon in addons:
        for capability in addon.provides:
            providers.setdefault(capability, []).append(addon.name)
    names = [addon.name for addon in addons]
    problems += [f"{name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    for capability in sorted(EXCLUSIVE_CAPABILITIES):
        if len(set(providers.get(capability, []))) > 1:
            problems.append(f"{' and '.join(providers[capability])} both provide {capability}; keep one")
    for addon in addons:
        for capability in addon.requires:
            if capability not in providers:
                problems.append(f"{addon.name} requires {capability}, which no listed add-on provides")
    return problems


def _common(addon: Addon, name: str, value: Any) -> list[str]:
    """Return problems of a parameter that every add-on has, as the rest of its path and a sentence."""
    match name:
        case schema.IMAGE_REPOSITORY:
            valid = isinstance(value, str) and (not value or REPOSITORY.fullmatch(value))
            return [] if valid else [f": {value!r} is not a registry with an optional path"]
        case schema.IMAGES:
            return _references(addon, value)
        case schema.PULL_SECRETS:
            valid = isinstance(value, list) and all(_is_object_name(each) for each in value)
            return [] if valid else [f": {value!r} is not a list of names of Secrets"]
        case schema.TOLERATIONS:
            if not isinstance(value, list):
                return [f": {value!r} is not a list of tolerations ({{key, operator, ...}})"]
            return [f" item {place}: {why}" for place, each in enumerate(value) if (why := _toleration(each))]
        case _:
            return _sources(addon, value)


def _is_object_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and bool(_OBJECT_NAME.fullmatch(value))


def _toleration(value: Any) -> str:
    """Say why the API server would refuse a toleration; empty where it would not."""
    if not isinstance(value, Mapping) or not value or value.keys() - _TOLERATION_KEYS:
        return f"{value!r} is not a toleration ({', '.join(sorted(_TOLERATION_KEYS))})"
    texts = {key: value.get(key, "") for key in ("key", "operator", "value", "effect")}
    number = next((key for key, each in texts.items() if not isinstance(each, str)), "")
    if number:
        return f"{number}: {texts[number]!r} is not text; put it in quotes"
    for key, known in (("operator", _OPERATORS), ("effect", _EFFECTS)):
        if texts[key] and texts[key] not in known:
            return f"{key}: {texts[key]!r} is not one of {', '.join(known)}"
    if not texts["key"] and texts["operator"] != "Exists":
        return "without a key the operator must be Exists"
    if texts["operator"] == "Exists" and texts["value"]:
        return "the operator Exists takes no value"
    seconds = value.get("tolerationSeconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return f"tolerationSeconds: {seconds!r} is not a whole number"
    if "tolerationSeconds" in value and texts["effect"] != "NoExecute":
        return "tolerationSeconds goes with the effect NoExecute only"
    return ""


def _references(addon: Addon, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [f": {value!r} is not a mapping of image names to references"]
    known = [image.name for image in addon.images]
    unknown = [f": no image {key!r}; it has {', '.join(known)}" for key in value if key not in known]
    wrong = [
        f".{key}: {reference!r} is not a complete reference like registry.example/path/name:tag"
        for key, reference in value.items()
        if not (isinstance(reference, str) and REFERENCE.fullmatch(reference))
    ]
    return unknown + wrong


def _sources(addon: Addon, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [f": {value!r} is not a mapping of names to paths or URLs"]
    known = [each.name for each in addon.crds]
    unknown = [
        f": nothing called {key!r} is fetched; {addon.name} fetches {', '.join(known) or 'nothing'}"
        for key in value
        if key not in known
    ]
    wrong = [
        f".{key}: {where!r} is not a path or URL"
        for key, where in value.items()
        if not (isinstance(where, str) and where)
    ]
    return unknown + wrong
