"""Fill in what only a host knows: its name, its address, its container runtime."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from kubeadm_py.config import scalars
from kubeadm_py.config.check_networking import HARMLESS, inside
from kubeadm_py.config.problems import ConfigError, Problem, show
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts, Interface
from kubeadm_py.model.node import Node, Role

_RUN = "unix:///run/"
_VAR_RUN = "unix:///var/run/"
_OWN_INTERFACE_KINDS = frozenset({"bridge", "veth", "vxlan", "dummy", "tun", "ipip"})
_OWN_INTERFACE_PREFIXES = (
    "lo",
    "cni",
    "flannel",
    "docker",
    "cali",
    "cilium",
    "kube-",
    "virbr",
    "veth",
    "br-",
)


class _Refused(Exception):
    """Carry a problem's key path and message to where its place is known."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def complete(cluster: ResolvedCluster, facts: Mapping[str, HostFacts]) -> ResolvedCluster:
    """Return the cluster with every node that has facts filled in; `facts` is keyed by node name.

    The node name is the host's, in lower case; the address is the one typed where the host has it, else
    that of the default route; the CRI socket is the one found, containerd's where there is none. Raise
    ConfigError where the host leaves no single answer.
    """
    problems: list[Problem] = []
    nodes: list[Node] = []
    for node in cluster.nodes:
        known = facts.get(node.name)
        if known is None:
            nodes.append(node)
            continue
        try:
            nodes.append(_complete_node(node, known))
        except _Refused as refused:
            path = f"{node.name or 'this machine'}: {refused.path}"
            problems.append(Problem(cluster.source_file, 0, 0, path, refused.message))
    problems += _conflicts(cluster, nodes)
    if problems:
        raise ConfigError(cluster.source_file or "the command line", problems)
    return replace(cluster, nodes=tuple(nodes))


def _complete_node(node: Node, facts: HostFacts) -> Node:
    addresses = node.addresses or (_address(node, facts),)
    is_control_plane = node.role is Role.CONTROL_PLANE
    return replace(
        node,
        name=_name(facts) if node.unnamed else node.name,
        name_from_host=False,
        addresses=addresses,
        advertise_address=(node.advertise_address or addresses[0]) if is_control_plane else "",
        cri_socket=node.cri_socket or _cri_socket(facts),
    )


def _name(facts: HostFacts) -> str:
    try:
        if not facts.hostname.strip():
            raise _Refused("nodeRegistration.name", "the host has no name; give one")
        return scalars.node_name(facts.hostname)
    except ValueError as error:
        raise _Refused("nodeRegistration.name", f"from the host's name: {error}") from None


def _address(node: Node, facts: HostFacts) -> str:
    present = list(_global_addresses(facts.interfaces))
    if node.ssh is not None and node.ssh.host in present:
        return node.ssh.host
    if facts.default_route_address:
        return facts.default_route_address
    path = "localAPIEndpoint.advertiseAddress" if node.role is Role.CONTROL_PLANE else "address"
    if not present:
        raise _Refused(path, "the host has neither a default route nor a global address; give it one")
    if len(present) > 1:
        raise _Refused(
            path, f"no default route and several addresses ({', '.join(present)}); name the one to use"
        )
    return present[0]


def _global_addresses(interfaces: tuple[Interface, ...]) -> Iterator[str]:
    for interface in interfaces:
        is_own = interface.kind in _OWN_INTERFACE_KINDS or interface.name.startswith(_OWN_INTERFACE_PREFIXES)
        if is_own or not interface.up:
            continue
        for cidr in interface.addresses:
            address = ipaddress.ip_interface(cidr).ip
            if not (address.is_loopback or address.is_link_local or address.is_multicast):
                yield str(address)


def _cri_socket(facts: HostFacts) -> str:
    sockets = sorted({_same_socket(socket) for socket in facts.cri_sockets})
    if len(sockets) > 1:
        raise _Refused(
            "nodeRegistration.criSocket",
            f"several container runtimes: {', '.join(sockets)}; name the one to use",
        )
    return sockets[0] if sockets else paths.CONTAINERD_SOCKET


def _same_socket(socket: str) -> str:
    """Return one spelling: /var/run is a link to /run."""
    url = socket if "://" in socket else f"unix://{socket}"
    return _RUN + url.removeprefix(_VAR_RUN) if url.startswith(_VAR_RUN) else url


def _conflicts(cluster: ResolvedCluster, nodes: list[Node]) -> Iterator[Problem]:
    """Find what became wrong only now: two hosts of one name or address, addresses inside a subnet."""
    for what, values in (
        ("name", [(node.name, node.name) for node in nodes if not node.name_from_host]),
        ("address", [(address, node.name) for node in nodes for address in node.addresses]),
    ):
        seen: dict[str, str] = {}
        for value, owner in values:
            if value in seen:
                message = f"{show(value)} is the {what} of two hosts; give each its own"
                yield Problem(cluster.source_file, 0, 0, owner, message)
            seen[value] = owner
    services, pods = cluster.networking.service_networks, cluster.networking.pod_networks
    for node in nodes:
        for address in node.addresses:
            message = inside(address, services, pods)
            if message and not message.endswith(HARMLESS):
                yield Problem(cluster.source_file, 0, 0, node.name, f"the address {message}")
