"""What holds for every add-on that comes with the product, with its defaults and at its extremes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import networks
from kubeadm_py.addons.find import LoadedAddon
from kubeadm_py.addons.parameters import (
    BooleanParameter,
    FormatParameter,
    IntegerParameter,
    ListParameter,
    RecordsParameter,
    StringParameter,
)
from kubeadm_py.model import foreign, host_needs, kernel
from kubeadm_py.model.cluster import AddonRequest

from .conftest import NEEDED

NAMES = [addon.name for addon in addons.available()]
NODE_TESTS = Path(__file__).parents[2] / "nodes"
SAMPLES = {
    "cidr": ["10.250.0.0/16", "fd00:250::/64"],
    "address": ["10.250.0.1", "fd00:250::1"],
    "ipv4": ["10.250.0.1", "10.250.0.2"],
    "addresses": ["10.250.0.0/28", "10.250.1.1-10.250.1.9"],
    "quantity": ["1", "1.5Gi"],
    "hostname": ["a", "x-1.example.org"],
    "name": ["a", "x" * 63],
    "path": ["/a", "/srv/a-b/c_d.1"],
    "duration": ["1s", "1h30m"],
    "string": ["a", "eth0"],
}
IMAGE = re.compile(
    r"(?<![\w./-])[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?::\d+)?(?:/[a-z0-9][a-z0-9._-]*)+:[A-Za-z0-9_][\w.-]*(?!\S*//)"
)
"""Whatever looks like a reference: registry, path and tag."""
TEXTS = {
    "local-path-storage.className": ["true", "a" * 253],
    "headlamp.baseURL": ["/", "/a/b"],
    "csi-driver-nfs.mountPermissions": ["0", "0777"],
    "ingress-nginx.maxBodySize": ["0", "8g"],
    "kube-vip.ranges": ["10.250.1.1-10.250.1.9", "fd00::1-fd00::9"],
    "rook-ceph.fileClass": ["b", "y" * 63],
}
"""Texts that a pattern takes and no rule can guess, or that must differ from others."""


def values(name: str, parameter: Any) -> list[Any]:
    """Return the extremes of a parameter."""
    match parameter:
        case BooleanParameter():
            return [True, False]
        case IntegerParameter():
            return [parameter.minimum, parameter.maximum]
        case StringParameter(enum=[_, *_]):
            return list(parameter.enum)
        case StringParameter():
            fitting = [*TEXTS.get(name, ()), "eth0", "/srv/x", "^e.*: \"'{{ x }} #"]
            return [
                each for each in fitting if not parameter.pattern or re.fullmatch(parameter.pattern, each)
            ]
        case ListParameter():
            return [*([] if parameter.min_items else [[]]), TEXTS.get(name) or SAMPLES[parameter.items]]
        case RecordsParameter():
            return [[], *([record] for record in records(name, parameter))]
        case FormatParameter():
            return list(TEXTS.get(name) or SAMPLES[parameter.type])


def records(name: str, parameter: RecordsParameter) -> list[dict[str, Any]]:
    """Return records with the fields that they need, and with all others at their ends."""
    found = {key: values(f"{name}.{key}", each) for key, each in parameter.fields.items()}
    needed = {key: found[key][-1] for key in parameter.required}
    excluded = {key for group in parameter.at_most_one_of for key in group[1:]}
    alone = [{**needed, key: value} for key, listed in found.items() for value in listed]
    ends = [{key: listed[end] for key, listed in found.items() if key not in excluded} for end in (0, -1)]
    return [needed, *alone, *ends]


def extremes(loaded: LoadedAddon) -> Iterator[dict[str, Any]]:
    """Yield sets of parameters: each value of each alone, then all first and all last ones together."""
    found = {key: values(f"{loaded.addon.name}.{key}", each) for key, each in loaded.addon.parameters.items()}
    needed = NEEDED.get(loaded.addon.name, {})
    yield needed
    for key, listed in found.items():
        assert listed, f"{loaded.addon.name}.{key} has no value to test with"
        for value in listed:
            yield needed | {key: value}
    excluded = {key for group in loaded.addon.at_most_one_of for key in group[1:]}
    for end in (0, -1):
        yield needed | {key: listed[end] for key, listed in found.items() if key not in excluded}


def fitting(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return values of a cluster that an add-on with these parameters fits into."""
    addon = addons.load(name).addon
    values: dict[str, Any] = {"pod_subnet": "10.244.0.0/16,fd00:10:244::/56"}
    if addon.pod_network and addon.pod_network.ip_families == ["IPv4"]:
        values["pod_subnet"] = "10.244.0.0/16"
    given = {key: each.default for key, each in addon.parameters.items()} | parameters
    for need in addon.kube_proxy:
        if need.applies(given):
            values |= {
                "proxy_disabled": need.modes[0] == "none",
                "kube_proxy_config": {} if need.modes[0] == "none" else {"mode": need.modes[0]},
            }
    return values


_RENDERED: dict[str, list[tuple[Any, list[Any], list[str]]]] = {}


def rendered(name: str, make_cluster: Any, **common: Any) -> list[tuple[Any, list[Any], list[str]]]:
    """Return an add-on's renderings at its extremes, made once: tests only look at them."""
    key = json.dumps([name, common])
    if key not in _RENDERED:
        _RENDERED[key] = list(_render(name, make_cluster, **common))
    return _RENDERED[key]


def _render(name: str, make_cluster: Any, **common: Any) -> Iterator[tuple[Any, list[Any], list[str]]]:
    for parameters in extremes(addons.load(name)):
        cluster = make_cluster(AddonRequest(name, parameters | common), **fitting(name, parameters))
        [item] = addons.resolve_alone(cluster)
        yield item, addons.render([item], cluster), addons.images([item], cluster)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_declared_and_what_is_declared_is_used(name, make_cluster):
    used: set[str] = set()
    for _, objects, declared in rendered(name, make_cluster):
        found = set(IMAGE.findall(json.dumps(objects)))
        assert found <= set(declared), "a mirror and a bundle go by the declared ones"
        used |= found
    assert used == {image.reference for image in addons.load(name).addon.images}


@pytest.mark.parametrize("name", NAMES)
def test_every_image_comes_from_the_repository_that_is_asked_for(name, make_cluster):
    for _, objects, _ in rendered(name, make_cluster, imageRepository="mirror.lan:5000/x"):
        found = set(IMAGE.findall(json.dumps(objects)))
        assert all(each.startswith("mirror.lan:5000/x/") for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_named_once_and_their_namespaces_come_first(name, make_cluster):
    for item, objects, _ in rendered(name, make_cluster):
        keys = [
            (each["apiVersion"], each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
            for each in objects
        ]
        assert len(set(keys)) == len(keys)
        made = [key[3] for key in keys if key[1] == "Namespace"]
        assert [key[1] for key in keys[: len(made)]] == ["Namespace"] * len(made)
        assert {key[2] for key in keys if key[2]} <= {
            *made,
            *item.parameters.get("namespaces", ()),
            "kube-system",
        }
        text = json.dumps(objects)
        assert not re.search(r'imagePullPolicy[\\": ]+Always', text), "what is preloaded is used"
        # A kubelet that restarts while postStart runs never runs it again: what it was to do is missing then.
        assert "postStart" not in text
        assert {each["metadata"]["labels"]["kubeadm-py.io/addon"] for each in objects} <= {name}


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_made_anew_where_a_parameter_changes_what_they_read_at_their_start(name, make_cluster):
    forms: dict[str, set[str]] = {}
    readers = []
    for _, objects, _ in rendered(name, make_cluster):
        for each in objects:
            if each["kind"] == "ConfigMap":
                forms.setdefault(each["metadata"]["name"], set()).add(json.dumps(each["data"]))
            elif each["kind"] in ("Deployment", "DaemonSet", "StatefulSet"):
                readers.append(each["spec"]["template"])
    for template in readers:
        texts = json.dumps(template["spec"])
        read = {
            config for config, known in forms.items() if len(known) > 1 and f'"name": "{config}"' in texts
        }
        noted = "kubeadm-py.io/config-digest" in template["metadata"].get("annotations", {})
        assert noted or not read, f"{sorted(read)} may change and no pod hears of it"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_waited_for_is_there(name, make_cluster):
    for item, objects, _ in rendered(name, make_cluster):
        keys = {
            (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
            for each in objects
        }
        assert {(ready.kind, ready.namespace, ready.name) for ready in addons.readiness([item])} <= keys


@pytest.mark.parametrize("name", NAMES)
def test_what_hosts_need_is_asked_for(name):
    needs = addons.load(name).addon.host_needs
    assert {need.feature for need in needs.kernel} <= kernel.MODULE_OPTIONS.keys()
    assert {need.command for need in needs.commands} <= set(host_needs.PROBED_COMMANDS)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_use(name):
    text = "".join(path.read_text() for path in addons.load(name).folder.rglob("*") if path.is_file())
    for parameter in addons.load(name).addon.parameters:
        assert f"parameters.{parameter}" in text, f"{parameter} changes nothing"


def test_every_pod_network_says_what_it_does_with_policies_and_which_file_it_writes():
    for addon in addons.available():
        assert ("pod-network" in addon.provides) == (addon.pod_network is not None)


def test_every_pod_network_lists_what_a_reset_removes():
    known = networks.traces()
    assert {each.addon for each in known} == {each.name for each in addons.available() if each.pod_network}
    for each in known:
        assert each.cni_network
        # Preflight finds what reset removes.
        assert any(re.fullmatch(link, name) for link in each.links for name in foreign.CNI_INTERFACES)
        text = "".join(path.read_text() for path in addons.load(each.addon).folder.rglob("*.j2"))
        written = re.findall(r'"name": "([a-z0-9-]+)",\s+"cniVersion"', text)
        assert set(written) <= {each.cni_network}


def test_the_badge_run_is_for_what_node_tests_run():
    run = {addon.name for addon in addons.available() if addon.verified == "run"}
    assert run == set(_run_by_node_tests())


def _run_by_node_tests() -> Iterator[str]:
    """Yield the add-ons of the marks runs_addon, which conftest.py there holds against the live cluster."""
    for path in NODE_TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.runs_addon":
                yield from (ast.literal_eval(argument) for argument in node.args)
