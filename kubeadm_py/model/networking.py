"""Describe a cluster's subnets, and write addresses with their ports."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from kubeadm_py.model import ports


@dataclass(frozen=True, slots=True)
class Networking:
    """Hold the cluster's subnets as written (two, comma-separated, for dual stack) and its domain."""

    service_subnet: str = "10.96.0.0/12"
    pod_subnet: str = ""
    dns_domain: str = "cluster.local"

    @property
    def service_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Return the service subnets in order."""
        return [ipaddress.ip_network(part.strip()) for part in self.service_subnet.split(",") if part.strip()]

    @property
    def pod_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Return the pod subnets in order; empty where none is set."""
        return [ipaddress.ip_network(part.strip()) for part in self.pod_subnet.split(",") if part.strip()]

    @property
    def api_service_ip(self) -> str:
        """Return the first address of the first service subnet."""
        return str(self.service_networks[0][1])

    @property
    def dns_ip(self) -> str:
        """Return the tenth address of the first service subnet."""
        return str(self.service_networks[0][10])


def join_host_port(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(endpoint: str, default_port: int = ports.API_SERVER) -> tuple[str, int]:
    """Split `host[:port]`; brackets around an IPv6 address are taken off. Raise ValueError if malformed."""
    if endpoint.startswith("["):
        host, bracket, rest = endpoint[1:].partition("]")
        if not bracket:
            raise ValueError(f"{endpoint!r} lacks the closing bracket")
        return host, int(rest[1:]) if rest.startswith(":") else default_port
    if endpoint.count(":") > 1:
        return endpoint, default_port
    host, colon, port = endpoint.partition(":")
    return host, int(port) if colon else default_port
