"""Work out a certificate's subject alternative names from the rules of the table."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.node import Node

Rule = Callable[[ResolvedCluster, Node], Iterable[str]]


def _kubernetes_service(cluster: ResolvedCluster, _node: Node) -> list[str]:
    return [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{cluster.networking.dns_domain}",
        cluster.networking.api_service_ip,
    ]


def _endpoint(cluster: ResolvedCluster, _node: Node) -> list[str]:
    if not cluster.control_plane_endpoint:
        return []
    return [split_host_port(cluster.control_plane_endpoint)[0]]


def _etcd_server_cert_sans(cluster: ResolvedCluster, _node: Node) -> tuple[str, ...]:
    return cluster.etcd.local.server_cert_sans if cluster.etcd.local else ()


def _etcd_peer_cert_sans(cluster: ResolvedCluster, _node: Node) -> tuple[str, ...]:
    return cluster.etcd.local.peer_cert_sans if cluster.etcd.local else ()


RULES: dict[str, Rule] = {
    "node-name": lambda _cluster, node: [node.name],
    "localhost": lambda _cluster, _node: ["localhost"],
    "loopback": lambda _cluster, _node: ["127.0.0.1", "::1"],
    "kubernetes-service": _kubernetes_service,
    "advertise-address": lambda _cluster, node: [node.advertise_address or node.address],
    "endpoint": _endpoint,
    "api-server-cert-sans": lambda cluster, _node: cluster.api_server_cert_sans,
    "etcd-server-cert-sans": _etcd_server_cert_sans,
    "etcd-peer-cert-sans": _etcd_peer_cert_sans,
}
"""What each name in the table's `sans` stands for."""


def resolve(
    rules: Iterable[str], cluster: ResolvedCluster, node: Node
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (DNS names, IP addresses) as kubeadm orders them: names sorted, addresses as they come."""
    return normalise(name for rule in rules for name in RULES[rule](cluster, node))


def normalise(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split names into DNS names (sorted) and IP addresses (in order), each without duplicates."""
    dns_names: set[str] = set()
    addresses: dict[str, None] = {}
    for name in names:
        try:
            addresses[canonical_ip(name)] = None
        except ValueError:
            dns_names.add(name)
    return tuple(sorted(dns_names)), tuple(addresses)


def canonical_ip(text: str) -> str:
    """Return the one spelling of an IP address (IPv4 in IPv6 becomes IPv4); raise ValueError if none."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
