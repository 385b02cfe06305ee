"""Say what the API's endpoint takes on which host: a line in /etc/hosts, a balancer, a moving address."""

from __future__ import annotations

import ipaddress
import re

from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.node import Node, Role

LOOPBACK = "127.0.0.1"
_MARK = "# kubeadm-py: the API of cluster"
HOSTS_LINE = rf"^[0-9a-fA-F.:]* [^ ]* {_MARK} [^ ]*$"
"""The lines of /etc/hosts that are ours, as a regular expression of grep's."""


_OURS = re.compile(HOSTS_LINE)


def is_ours(line: str) -> bool:
    """Say whether a line of /etc/hosts bears our mark."""
    return _OURS.fullmatch(line) is not None


def local_name(cluster_name: str) -> str:
    """Return the name by which a cluster with balancers on its nodes finds its API."""
    return f"api.{cluster_name}.internal"


def host(cluster: ResolvedCluster) -> str:
    """Return the name or address of the endpoint without its port; empty where there is none."""
    return split_host_port(cluster.control_plane_endpoint)[0] if cluster.control_plane_endpoint else ""


def is_address(text: str) -> bool:
    """Say whether this is an IP address, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def port(cluster: ResolvedCluster) -> int:
    """Return the endpoint's port."""
    return split_host_port(cluster.endpoint)[1]


def vip(cluster: ResolvedCluster) -> str:
    """Return the address that moves between control planes; empty where there is none."""
    return host(cluster) if cluster.load_balancer is LoadBalancer.VIP else ""


def resolves_to(cluster: ResolvedCluster, node: Node) -> str:
    """Return what /etc/hosts of this host makes of the endpoint's name; empty where that is not our business.

    A control plane asks its own API server, which its own kubelet keeps up.
    """
    if cluster.load_balancer is not LoadBalancer.NODE_LOCAL or node.role is Role.ETCD:
        return ""
    return own_address(node) if node.role is Role.CONTROL_PLANE else LOOPBACK


def hosts_line(cluster: ResolvedCluster, node: Node) -> str:
    """Return the line that we keep in /etc/hosts; empty for none."""
    address = resolves_to(cluster, node)
    return f"{address} {host(cluster)} {_MARK} {cluster.name}" if address else ""


def runs_keepalived(cluster: ResolvedCluster, node: Node) -> bool:
    """Say whether this host may hold the vip."""
    return cluster.load_balancer is LoadBalancer.VIP and node.role is Role.CONTROL_PLANE


def runs_haproxy(cluster: ResolvedCluster, node: Node) -> bool:
    """Say whether this host balances over the API servers.

    On control planes only where the vip's port is not the API server's own: else who holds the vip answers.
    """
    if cluster.load_balancer is LoadBalancer.NODE_LOCAL:
        return node.role is Role.WORKER
    return runs_keepalived(cluster, node) and port(cluster) != node.bind_port


def own_address(node: Node) -> str:
    """Return the address at which this control plane's API server is known to others."""
    return node.advertise_address or node.address
