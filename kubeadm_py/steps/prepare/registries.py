"""Write containerd's registry settings: mirrors, CAs and credentials, one hosts.toml a registry."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import Registry, ResolvedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.steps.prepare.text import render

_DOCKER_HUB = {"docker.io": "https://registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class RegistryMaterial:
    """Hold what lies in the files that a registry's settings name: a CA bundle, and `user:password`."""

    ca: bytes | None = None
    credentials: Secret | None = None


@dataclass(frozen=True, slots=True)
class _Host:
    url: str
    override_path: bool
    ca: str
    authorization: str


def registry_files(
    cluster: ResolvedCluster, material: Mapping[str, RegistryMaterial] | None = None
) -> list[FileSpec]:
    """Return the files below /etc/containerd/certs.d; containerd reads them anew for every pull."""
    files = []
    for name, registry in sorted(cluster.registries.items()):
        files += _files(name, registry, (material or {}).get(name, RegistryMaterial()))
    return files


def _files(name: str, registry: Registry, material: RegistryMaterial) -> list[FileSpec]:
    folder = f"{paths.CONTAINERD_CERTS_DIR}/{name}"
    ca = posixpath.join(folder, "ca.crt") if material.ca is not None else ""
    server = f"http://{name}" if registry.plain_http else _DOCKER_HUB.get(name, f"https://{name}")
    authorization = ""
    if material.credentials is not None:
        authorization = "Basic " + base64.b64encode(material.credentials.reveal()).decode()
    hosts = [
        _Host(url, _keeps_path(url), ca, authorization)
        for url in (registry.mirrors or ([server] if ca or authorization else []))
    ]
    content = render("containerd-hosts.toml", registry=name, server=server, hosts=hosts)
    secret = bool(authorization)
    files = [FileSpec(f"{folder}/hosts.toml", content, 0o600 if secret else 0o644, secret=secret)]
    if material.ca is not None:
        files.append(FileSpec(ca, material.ca, 0o644))
    return files


def _keeps_path(url: str) -> bool:
    """Say whether a mirror's URL already names the API's path, so that containerd must not append /v2."""
    return "/v2" in urlsplit(url).path
