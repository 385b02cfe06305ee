"""Check that ports are free, and that hosts can reach each other's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubeadm_py.model import ports, typed
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import Listener
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.node import Node, Role
from kubeadm_py.preflight.context import (
    CONTROL_PLANES,
    ETCD_MEMBERS,
    EVERYWHERE,
    Check,
    CheckContext,
    Hit,
    Reach,
)

_COMPONENTS = frozenset(
    {"kubelet", "kube-apiserver", "kube-controller", "kube-scheduler", "kube-proxy", "etcd"}
)
"""Process names as the kernel cuts them, at 15 characters."""


def listeners(ctx: CheckContext, port: int) -> list[Listener]:
    """Return who listens on a TCP port, whatever the address."""
    return [one for one in ctx.facts.listeners if one.protocol.startswith("tcp") and one.port == port]


def describe(listener: Listener) -> str:
    """Return `etcd (pid 811, /usr/bin/etcd, unit etcd.service)`, as much of it as is known."""
    known = [
        f"pid {listener.pid}" if listener.pid else "",
        listener.executable,
        # A container's scope is named by a hash, which tells nobody anything.
        f"unit {listener.unit}" if listener.unit.endswith((".service", ".socket")) else "",
    ]
    more = ", ".join(part for part in known if part)
    name = listener.process or f"an unnamed process on {listener.address}"
    return f"{name} ({more})" if more else name


def busy(ctx: CheckContext, numbers: Iterable[int], *, apart_from: str = "") -> Iterator[Hit]:
    """Yield who listens on these TCP ports, as checks of the family `Port-N`; a process of that name may."""
    for port in dict.fromkeys(numbers):
        owners = [one for one in listeners(ctx, port) if not apart_from or one.process != apart_from]
        if owners:
            found = ", ".join(dict.fromkeys(describe(one) for one in owners))
            yield Hit(
                f"something listens on {port}: {found}", _how_to_free(ctx, owners[0]), name=f"Port-{port}"
            )


def _how_to_free(ctx: CheckContext, owner: Listener) -> str:
    if owner.unit.endswith(".service") and owner.unit != "kubelet.service":
        return f"if nothing needs it: systemctl disable --now {owner.unit}"
    if owner.process[:15] in _COMPONENTS:
        return f"another cluster's node? look: {typed.reset_preview(ctx.cluster, ctx.node)}"
    if owner.pid:
        return f"stop it, or have it listen elsewhere: ps -fp {owner.pid}"
    return f"see who it is: ss -ltnp sport = :{owner.port}"


def control_plane_ports(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the ports of the API server, scheduler and controller manager."""
    yield from busy(ctx, (ctx.node.bind_port, ports.SCHEDULER, ports.CONTROLLER_MANAGER))


def kubelet_port(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the kubelet's port."""
    yield from busy(ctx, (ports.KUBELET,))


def etcd_ports(ctx: CheckContext) -> Iterator[Hit]:
    """Look at etcd's ports where a member of it runs."""
    if ctx.cluster.etcd.local is not None:
        yield from busy(ctx, (ports.ETCD_CLIENT, ports.ETCD_PEER))


def needed_connections(cluster: ResolvedCluster, node: Node, *, endpoint: str = "") -> list[tuple[str, int]]:
    """List the (address, port) that `node` must be able to connect to, each once.

    `endpoint` is the API's `host:port` where the node joins. The caller tries them through the host and
    hands the outcome in as CheckContext.reach.
    """
    wanted = [split_host_port(endpoint)] if endpoint else []
    control_plane, member = node.role is Role.CONTROL_PLANE, node in cluster.etcd_members
    for other in cluster.nodes:
        if other.name == node.name or not other.addresses:
            continue
        numbers = [ports.KUBELET] if control_plane and other.role is not Role.ETCD else []
        if other in cluster.etcd_members:
            numbers += [ports.ETCD_CLIENT] if control_plane or member else []
            numbers += [ports.ETCD_PEER] if member else []
        wanted += [(other.address, port) for port in numbers]
    return list(dict.fromkeys(wanted))


def port_reachable(ctx: CheckContext) -> Iterator[Hit]:
    """Judge the attempts to connect; a refused one reached the host."""
    silent = [place for place, reach in ctx.reach.items() if reach is Reach.TIMEOUT]
    if silent:
        yield Hit(
            f"no answer from {', '.join(silent)}: packets are dropped on the way",
            "open these ports in the firewalls and security groups between the hosts; is the address right?",
        )
    if any(reach is Reach.FORBIDDEN for reach in ctx.reach.values()):
        yield Hit(
            "the SSH server forbids forwarding, so nobody has tried whether the other hosts can be reached",
            "AllowTcpForwarding yes in /etc/ssh/sshd_config, or see to it yourself that they can",
            severity=Severity.WARNING,
        )


CHECKS = (
    Check(
        "Port-N",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "The ports of API server (bindPort), scheduler (10259) and controller manager (10257) are free.",
        control_plane_ports,
        absence=True,
        tested="node",
    ),
    Check(
        "Port-10250",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The kubelet's port is free.",
        kubelet_port,
        absence=True,
        tested="node",
    ),
    Check(
        "Port-2379, Port-2380",
        Severity.ERROR,
        Gate.HOST,
        ETCD_MEMBERS,
        "etcd's ports are free, where a member of etcd runs.",
        etcd_ports,
        absence=True,
    ),
    Check(
        "PortReachable",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The host reaches the API endpoint, and control planes each other's etcd and every kubelet.",
        port_reachable,
        kubeadm=False,
    ),
)
