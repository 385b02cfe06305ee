"""Write containerd's registry settings: mirrors, CAs and credentials, one hosts.toml a registry."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.registries import Endpoint, Registry, endpoints, own_url
from kubeadm_py.steps.prepare.text import render


@dataclass(frozen=True, slots=True)
class _Host:
    url: str
    override_path: bool
    ca: str
    authorization: str


def registry_files(cluster: ResolvedCluster) -> list[FileSpec]:
    """Return the files below /etc/containerd/certs.d; containerd reads them anew for every pull."""
    files = []
    for name, registry in sorted(cluster.registries.items()):
        files += _files(name, registry, cluster.registries)
    return files


def _files(name: str, registry: Registry, registries: Mapping[str, Registry]) -> list[FileSpec]:
    hosts = [
        _host(endpoint)
        for endpoint in endpoints(name, registries)
        if endpoint.mirror or endpoint.settings.ca or endpoint.settings.credentials
    ]
    content = render("containerd-hosts.toml", registry=name, server=own_url(name, registry), hosts=hosts)
    secret = any(host.authorization for host in hosts)
    mode = 0o600 if secret else 0o644
    files = [FileSpec(f"{paths.CONTAINERD_CERTS_DIR}/{name}/hosts.toml", content, mode, secret=secret)]
    if registry.ca:
        files.append(FileSpec(_ca_path(name), registry.ca, 0o644))
    return files


def _host(endpoint: Endpoint) -> _Host:
    settings = endpoint.settings
    authorization = ""
    if settings.credentials is not None:
        authorization = "Basic " + base64.b64encode(settings.credentials.reveal()).decode()
    return _Host(
        endpoint.url,
        # containerd appends /v2 unless it is told that the path is whole.
        "/v2" in urlsplit(endpoint.url).path,
        _ca_path(endpoint.registry) if settings.ca else "",
        authorization,
    )


def _ca_path(name: str) -> str:
    return f"{paths.CONTAINERD_CERTS_DIR}/{name}/ca.crt"
