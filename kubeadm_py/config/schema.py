"""Describe the Cluster document: what each key is for, as a JSON schema for editors and for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubeadm_py.config import defaults
from kubeadm_py.config.cluster_types import Cluster
from kubeadm_py.model.cluster import ArtifactSource, LoadBalancer
from kubeadm_py.model.node import Role
from kubeadm_py.model.ssh import HostKeys

API_VERSION = "kubeadm-py.io/v1alpha1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SSH = {
    "user": "Login name; by default your own.",
    "host": "Where to connect; by default the host's address.",
    "port": "Port of sshd (22).",
    "identityFile": "Private key to log in with.",
    "hostKeys": "How host keys are trusted (known-hosts).",
    "knownHosts": "File of known hosts, besides ~/.ssh/known_hosts.",
    "bastion": "Host to go through: [USER@]HOST[:PORT].",
    "sudo": "Whether commands run with sudo; by default where the user is not root.",
    "sudoPasswordFile": "File with the password that sudo asks for.",
}
_TAINT = {
    "key": "The taint's key.",
    "value": "Its value.",
    "effect": "What it does.",
    "timeAdded": "When it was added.",
}


def _under(path: str, keys: dict[str, str]) -> dict[str, str]:
    return {f"{path}.{key}": text for key, text in keys.items()}


DESCRIPTIONS: dict[str, str] = {
    "metadata": "The cluster's name.",
    "metadata.name": "Name of the cluster, and of what this machine keeps about it.",
    "spec": "The cluster's hosts and what goes onto them.",
    "spec.ssh": "How hosts are reached, unless a host says otherwise.",
    **_under("spec.ssh", _SSH),
    "spec.hosts": "The hosts; the first control plane is the one that init brings up.",
    "spec.hosts[].name": "The node's name.",
    "spec.hosts[].role": "What the host is; master is control-plane.",
    "spec.hosts[].address": "The node's IP address; both families as v4,v6.",
    "spec.hosts[].ssh": "How this host is reached.",
    **_under("spec.hosts[].ssh", _SSH),
    "spec.hosts[].ssh.hostKey": "The host's public key: TYPE BASE64.",
    "spec.hosts[].labels": "Labels of the node.",
    "spec.hosts[].taints": "Taints of the node; absent: kubeadm's default, []: none.",
    **_under("spec.hosts[].taints[]", _TAINT),
    "spec.hosts[].nodeRegistration": "kubeadm's nodeRegistration of this host; it wins over the template's.",
    "spec.hosts[].nodeRegistration.name": "The node's name; no other than the host's.",
    "spec.hosts[].nodeRegistration.criSocket": "Socket of the container runtime.",
    "spec.hosts[].nodeRegistration.taints": "Taints that the node registers with.",
    **_under("spec.hosts[].nodeRegistration.taints[]", _TAINT),
    "spec.hosts[].nodeRegistration.kubeletExtraArgs": "Flags of the kubelet.",
    "spec.hosts[].nodeRegistration.kubeletExtraArgs[].name": "The flag, without dashes.",
    "spec.hosts[].nodeRegistration.kubeletExtraArgs[].value": "Its value.",
    "spec.hosts[].nodeRegistration.ignorePreflightErrors": "Checks whose errors are warnings here.",
    "spec.hosts[].nodeRegistration.imagePullPolicy": "When images are pulled (IfNotPresent).",
    "spec.hosts[].nodeRegistration.imagePullSerial": "Whether one image is pulled at a time (true).",
    "spec.hosts[].proxy": "Proxy of the host's runtime and kubelet.",
    "spec.hosts[].proxy.http": "HTTP_PROXY.",
    "spec.hosts[].proxy.https": "HTTPS_PROXY.",
    "spec.hosts[].proxy.noProxy": "NO_PROXY; the cluster's own subnets are added.",
    "spec.hosts[].files": "Your own files: written first, put back when they change, removed by reset.",
    "spec.hosts[].files[].path": "Where the file goes on the host.",
    "spec.hosts[].files[].content": "What it holds.",
    "spec.hosts[].files[].source": "Or: a file on this machine that holds it, relative to the config.",
    "spec.hosts[].files[].mode": "Its mode, in quotes (0644; 0600 of a secret).",
    "spec.hosts[].files[].owner": "Its owner, USER:GROUP (root:root).",
    "spec.hosts[].files[].secret": "Never show it; its source must be unreadable to others.",
    "spec.hosts[].staticPods": "Your own static pods; an item may be the path of a manifest.",
    "spec.hosts[].staticPods[].source": "The manifest on this machine, relative to the config.",
    "spec.hosts[].staticPods[].manifest": "Or: the Pod itself.",
    "spec.endpoint": "How the API is reached where there are several control planes.",
    "spec.endpoint.loadBalancer": "external: your own; node-local: on workers; vip: an address that moves.",
    "spec.endpoint.vip": "The address that moves.",
    "spec.endpoint.port": "Port of the endpoint; by default the API server's own.",
    "spec.dns": "What kubeadm's documents cannot say of CoreDNS.",
    "spec.dns.replicas": "How many pods; absent: two at first, then as many as it was scaled to.",
    "spec.registries": "Image registries by name, as images begin: registry.k8s.io, 10.0.0.5:5000.",
    "spec.registries.NAME": "One registry.",
    "spec.registries.NAME.mirrors": "What is asked first: URLs, or HOST[:PORT][/PATH] as images have it.",
    "spec.registries.NAME.plainHTTP": "It speaks http without TLS.",
    "spec.registries.NAME.caFile": "File on this machine with the CA of its certificate.",
    "spec.registries.NAME.credentialsFile": "File on this machine, mode 0600: one line USER:PASSWORD.",
    "spec.registries.NAME.replaceWith": "HOST[:PORT][/PATH] in the place of NAME in images of add-ons.",
    "spec.registries.NAME.pullSecrets": "Secrets with which add-ons' pods pull images that come from it.",
    "spec.artifacts": "Where binaries and images come from.",
    "spec.artifacts.source": "official: downloads; bundle: folder or tar; packages; preinstalled.",
    "spec.artifacts.path": "The bundle, or the base URL of a mirror of the official servers.",
    "spec.artifacts.publicKey": "File on this machine: the Ed25519 key that the bundle must be signed with.",
    "spec.addons": "Add-ons, by name or with parameters.",
    "spec.addons[].name": "The name of one that comes with kubeadm-py.",
    "spec.addons[].path": "Or a folder of your own: addon.yaml with manifests, or plain manifests.",
    "spec.addons[].parameters": "Its parameters; kubeadm-py addon list names them.",
}
"""Key path -> what it is for; `[]` stands for each item of a list."""
NAME = "NAME"
"""Stands in a key path for whatever name the user gives."""
REQUIRED = {
    "": ("apiVersion", "kind", "metadata", "spec"),
    "metadata": ("name",),
    "spec": ("hosts",),
    "spec.hosts[]": ("name", "role", "address"),
    "spec.hosts[].files[]": ("path",),
    "spec.hosts[].taints[]": ("key", "effect"),
    "spec.hosts[].nodeRegistration.taints[]": ("key", "effect"),
    "spec.hosts[].nodeRegistration.kubeletExtraArgs[]": ("name",),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "role": (*(role.value for role in Role), *defaults.ROLE_ALIASES),
    "loadBalancer": tuple(each.value for each in LoadBalancer),
    "artifacts.source": tuple(each.value for each in ArtifactSource),
    "hostKeys": tuple(each.value for each in HostKeys),
    "effect": tuple(defaults.TAINT_EFFECTS),
    "imagePullPolicy": tuple(defaults.IMAGE_PULL_POLICIES),
}
_OR_TEXT = ("spec.addons[]", "spec.hosts[].staticPods[]")
"""What may be written as one word as well."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of a Cluster document."""
    raw = Cluster.model_json_schema(by_alias=True)
    body = _node(raw, "", raw["$defs"])
    properties = {"apiVersion": {"const": API_VERSION}, "kind": {"const": "Cluster"}, **body["properties"]}
    return {"$schema": DIALECT, "title": "Cluster", **body, "properties": properties}


def listed() -> Iterator[tuple[str, str, str]]:
    """Yield (key path, type, accepted words) of each key, in the document's order."""
    yield from _keys(schema(), "")


def _node(raw: dict[str, Any], path: str, definitions: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in raw:
        raw = next(each for each in raw["anyOf"] if each.get("type") != "null")
    if "$ref" in raw:
        raw = definitions[raw["$ref"].rpartition("/")[2]]
    made: dict[str, Any] = {"type": raw["type"]}
    if path in DESCRIPTIONS:
        made["description"] = DESCRIPTIONS[path]
    if "properties" in raw:
        inner = {key: (f"{path}.{key}".lstrip("."), value) for key, value in raw["properties"].items()}
        made["properties"] = {
            key: _node(value, below, definitions)
            for key, (below, value) in inner.items()
            if below in DESCRIPTIONS
        }
        made["additionalProperties"] = False
        if path in REQUIRED:
            made["required"] = list(REQUIRED[path])
    elif raw["type"] == "array":
        made["items"] = _node(raw["items"], f"{path}[]", definitions)
    elif raw["type"] == "object":
        values = raw.get("additionalProperties", True)
        named = isinstance(values, dict) and "$ref" in values
        made["additionalProperties"] = _node(values, f"{path}.{NAME}", definitions) if named else values
    made |= {name: raw[name] for name in ("minimum", "maximum") if name in raw}
    words = next((_WORDS[key] for key in _WORDS if f".{path}".endswith(f".{key}")), ())
    if words and raw["type"] == "string":
        made["enum"] = list(words)
    return {"anyOf": [{"type": "string"}, made]} if path in _OR_TEXT else made


def _keys(node: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    node = node["anyOf"][-1] if "anyOf" in node else node
    for key, value in node.get("properties", {}).items():
        below = f"{path}.{key}".lstrip(".")
        words = [value["const"]] if "const" in value else value.get("enum", [])
        yield below, value.get("type", "string"), ", ".join(words)
        yield from _keys(value, below)
        if "items" in value:
            yield from _keys(value["items"], f"{below}[]")
        named = value.get("additionalProperties")
        if isinstance(named, dict) and "properties" in named:
            yield f"{below}.{NAME}", named["type"], ""
            yield from _keys(named, f"{below}.{NAME}")
