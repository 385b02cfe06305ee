"""Say where an image of a registry is asked for, in which order and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kubeadm_py.model.secret import Secret

_SERVED_BY = {"docker.io": "registry-1.docker.io"}
"""Registries whose API has another host than their images name."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Say how one image registry is reached; what it needs lies in here, not in files."""

    mirrors: tuple[str, ...] = ()
    """URLs that are asked first, in this order; what a mirror needs says the registry of its own name."""
    plain_http: bool = False
    ca: bytes = field(default=b"", repr=False)
    """Certificates in PEM that its own must come from; empty: the system's."""
    credentials: Secret | None = None
    """`user:password`."""
    replace_with: str = ""
    """What stands in the place of its name in the images of add-ons."""
    pull_secrets: tuple[str, ...] = ()
    """Secrets with which pods of add-ons pull images that come from it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold one place to ask: its URL, with a path where a mirror has one, and whose settings it goes by."""

    url: str
    registry: str
    settings: Registry
    mirror: bool

    @property
    def api(self) -> str:
        """Return the URL below which the registry's API lies: a path that names it already stays."""
        return self.url if "/v2" in urlsplit(self.url).path else f"{self.url}/v2"


def own_url(name: str, registry: Registry) -> str:
    """Return the URL of a registry itself."""
    return f"{'http' if registry.plain_http else 'https'}://{_SERVED_BY.get(name, name)}"


def endpoints(name: str, registries: Mapping[str, Registry]) -> tuple[Endpoint, ...]:
    """List where images of a registry are asked for: its mirrors, then itself.

    Credentials and CA go to nobody but the registry of their name: a mirror goes by its own.
    """
    registry = registries.get(name, Registry())
    found = []
    for url in registry.mirrors:
        host = urlsplit(url).netloc
        found.append(Endpoint(url, host, registries.get(host, Registry()), mirror=True))
    return (*found, Endpoint(own_url(name, registry), name, registry, mirror=False))


def registry_of(reference: str) -> str:
    """Return the registry of a complete image reference."""
    return reference.partition("/")[0]
