"""Write what programs of the containers project read of registries: CRI-O does, and podman beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from kubeadm_py.model import host_settings
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.registries import Endpoint, Registry, endpoints
from kubeadm_py.steps.prepare.text import render


def files(cluster: ResolvedCluster) -> list[FileSpec]:
    """Return registries.conf.d, the CAs below certs.d and the file with all credentials."""
    registries = cluster.registries
    if not registries:
        return []
    listed = [_entry(name, registries) for name in sorted(registries)]
    content = render("containers-registries.conf", registries=listed)
    found = [FileSpec(host_settings.CONTAINERS_REGISTRIES, content, 0o644)]
    for name, registry in sorted(registries.items()):
        if registry.ca:
            found.append(FileSpec(f"{host_settings.CONTAINERS_CERTS_DIR}/{name}/ca.crt", registry.ca, 0o644))
    logins = dict(_logins(registries))
    if logins:
        text = json.dumps({"auths": logins}, indent=1, sort_keys=True).encode() + b"\n"
        found.append(FileSpec(host_settings.CRIO_CREDENTIALS, text, 0o600, secret=True))
    return found


def _entry(name: str, registries: Mapping[str, Registry]) -> dict[str, Any]:
    *mirrors, own = endpoints(name, registries)
    return {
        "prefix": name,
        "location": _location(own),
        "insecure": own.settings.plain_http,
        "mirrors": [
            {"location": _location(each), "insecure": each.url.startswith("http://")} for each in mirrors
        ],
    }


def _location(endpoint: Endpoint) -> str:
    """Return HOST[:PORT][/PATH] as these programs want it: they put the API's /v2 in between themselves."""
    parts = urlsplit(endpoint.url)
    if not endpoint.mirror:
        return endpoint.registry
    return parts.netloc + parts.path.removeprefix("/v2").rstrip("/")


def _logins(registries: Mapping[str, Registry]) -> Iterator[tuple[str, dict[str, str]]]:
    for name, registry in registries.items():
        if registry.credentials is not None:
            yield name, {"auth": base64.b64encode(registry.credentials.reveal()).decode()}
