"""Check that the API's endpoint can be what the config makes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from kubeadm_py.model import endpoint, paths, ports
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.node import Role
from kubeadm_py.preflight.checks.ports import busy
from kubeadm_py.preflight.context import CONTROL_PLANES, NODES, Check, CheckContext, Hit, Reach

_FREE = "choose a free address of that subnet"
_MANAGED = "manage_etc_hosts"
"""What cloud-init's own template says in an /etc/hosts that it writes anew at every boot."""


def endpoint_resolves(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the endpoint's name means anything on this host."""
    for name, addresses in ctx.facts.resolved.items():
        if not addresses:
            yield Hit(
                f"the endpoint's name {name} does not resolve on this host",
                f"add it to DNS, or to /etc/hosts there: ADDRESS {name}; or set loadBalancer: node-local",
            )


def endpoint_balancer(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether what should balance over the API servers lets a connection through at all."""
    if ctx.balancer_answers is Reach.TIMEOUT:
        yield Hit(
            f"nothing answers at the endpoint {ctx.endpoint}, not even to refuse",
            "does the load balancer listen there, and do firewalls let this host reach it?",
            severity=Severity.ERROR if ctx.moving else None,
        )
    elif ctx.moving and ctx.balancer_answers is Reach.REFUSED:
        yield Hit(
            f"the endpoint {ctx.endpoint} refuses connections, and the API servers behind it run",
            "let the load balancer listen there and lead to the control planes",
            severity=Severity.ERROR,
        )


def vip_in_subnet(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the vip can be on the interface that has the node's address."""
    vip = endpoint.vip(ctx.cluster)
    if not vip or not ctx.node.addresses:
        return
    own, wanted = ipaddress.ip_address(endpoint.own_address(ctx.node)), ipaddress.ip_address(vip)
    networks = [
        ipaddress.ip_interface(cidr)
        for interface in ctx.facts.interfaces
        for cidr in interface.addresses
        if ipaddress.ip_interface(cidr).ip == own
    ]
    if networks and not any(wanted in network.network for network in networks):
        listed = ", ".join(str(network.network) for network in networks)
        yield Hit(
            f"the vip {vip} is outside of {listed}, the subnet of this control plane's {own}",
            "choose a free address of that subnet; it moves between hosts of one network only",
        )
    for network in (each.network for each in networks):
        # Of one or two addresses all are for hosts.
        if wanted in network and network.num_addresses > 2:
            if wanted == network.network_address:
                yield Hit(f"the vip {vip} is the address of the network {network} itself", _FREE)
            elif wanted.version == 4 and wanted == network.broadcast_address:
                yield Hit(f"the vip {vip} is the broadcast address of {network}", _FREE)


def vip_is_free(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether somebody else has the vip: another host of the file, or a stranger who answers."""
    vip = endpoint.vip(ctx.cluster)
    if not vip:
        return
    for name, facts in ctx.all_facts.items():
        node = next((node for node in ctx.cluster.nodes if node.name == name), None)
        if node is not None and node.role is Role.CONTROL_PLANE:
            continue
        if any(_is(vip, cidr) for interface in facts.interfaces for cidr in interface.addresses):
            yield Hit(f"the vip {vip} is an address of {name}", "choose a free one")
            return
    if ctx.vip_answers in (Reach.OPEN, Reach.REFUSED):
        yield Hit(
            f"somebody answers at the vip {vip}, and no control plane of this cluster holds it",
            f"see who has it: ip neigh show {vip}     (on {ctx.node.name}); choose a free address",
        )


def _is(address: str, cidr: str) -> bool:
    return ipaddress.ip_interface(cidr).ip == ipaddress.ip_address(address)


def hosts_file(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether a line of ours in /etc/hosts would count, and stay."""
    if not endpoint.hosts_line(ctx.cluster, ctx.node):
        return
    name = endpoint.host(ctx.cluster)
    for line in ctx.facts.hosts_file.splitlines():
        if not endpoint.is_ours(line) and name in line.partition("#")[0].split()[1:]:
            yield Hit(
                f"/etc/hosts says already: {line.strip()}", "take that line out; kubeadm-py keeps its own"
            )
    if _MANAGED in ctx.facts.hosts_file:
        yield Hit(
            "cloud-init writes /etc/hosts anew at every boot, without the line by which nodes find the API",
            "manage_etc_hosts: false in /etc/cloud/cloud.cfg.d/99-hosts.cfg there",
        )


def balancer_ports(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the ports of the balancer that this host gets."""
    if endpoint.runs_haproxy(ctx.cluster, ctx.node):
        # One that is ours listens already where it takes another port.
        ours = "haproxy" if paths.HAPROXY_CONFIG in ctx.facts.files else ""
        yield from busy(ctx, (endpoint.port(ctx.cluster), ports.BALANCER_HEALTH), apart_from=ours)


CHECKS = (
    Check(
        "EndpointResolves",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "The name in controlPlaneEndpoint resolves on the host.",
        endpoint_resolves,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "EndpointBalancer",
        Severity.WARNING,
        Gate.HOST,
        CONTROL_PLANES,
        "An external load balancer answers at controlPlaneEndpoint before it is relied on.",
        endpoint_balancer,
        absence=True,
        moves=True,
        kubeadm=False,
    ),
    Check(
        "EndpointHostsFile",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "node-local: /etc/hosts names the endpoint nowhere else, and is not rewritten by cloud-init.",
        hosts_file,
        kubeadm=False,
    ),
    Check(
        "EndpointPorts",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "The ports of the balancer before the API servers are free where it runs.",
        balancer_ports,
        absence=True,
        moves=True,
        kubeadm=False,
    ),
    Check(
        "VipSubnet",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "The vip lies in the subnet of the control plane's own address.",
        vip_in_subnet,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "VipFree",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "Nobody has the vip yet, or a control plane of the cluster does.",
        vip_is_free,
        absence=True,
        moves=True,
        kubeadm=False,
        tested="node",
    ),
)
