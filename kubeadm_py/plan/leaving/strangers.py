"""Find hosts that are in the cluster and in its config no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.quorum import Member
from kubeadm_py.plan.live.membership import Membership


def find(cluster: ResolvedCluster, found: Membership) -> tuple[Node, ...]:
    """Return nodes and etcd members that the config does not name, as far as the cluster tells of them."""
    known = {node.name for node in cluster.nodes}
    names = [name for name in found.nodes if name not in known]
    ours = [found.member_of(node) for node in cluster.etcd_members]
    apart = [member for member in found.members if member not in ours and _name(member) not in known]
    listed = dict.fromkeys([*names, *(_name(member) for member in apart)])
    return tuple(described(cluster, found, name) for name in sorted(listed))


def described(cluster: ResolvedCluster, found: Membership, name: str) -> Node:
    """Return what the cluster knows of a host that the config does not name; maybe no more than its name."""
    member = next((each for each in found.members if _name(each) == name), None)
    urls = member.peer_urls if member is not None else ()
    addresses = found.addresses.get(name) or tuple(_hosts(urls))[:1]
    stacked = member is not None and cluster.etcd.local is not None
    role = Role.CONTROL_PLANE if stacked or name in found.control_planes else Role.WORKER
    if member is not None and name not in found.nodes and cluster.etcd.members is not None:
        role = Role.ETCD
    ssh = replace(cluster.ssh, host=addresses[0]) if cluster.ssh is not None and addresses else None
    return Node(name, role, addresses if ssh is not None else (), ssh=ssh)


def _name(member: Member) -> str:
    return member.name or member.id


def _hosts(urls: Iterable[str]) -> Iterable[str]:
    return (host for host in (urlsplit(url).hostname for url in urls) if host)
