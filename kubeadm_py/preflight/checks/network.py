"""Check addresses, name servers and packet filters' modes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from kubeadm_py.model import paths
from kubeadm_py.model.facts import Interface
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.words import plural
from kubeadm_py.preflight.context import EVERYWHERE, NODES, Check, CheckContext, Hit, Target

RESOLV_CONF = "/etc/resolv.conf"
_DNS_PORT = 53
_VIRTUAL = (
    "lo",
    "docker",
    "cni",
    "flannel",
    "cali",
    "vxlan",
    "cilium",
    "kube-",
    "nodelocaldns",
    "virbr",
    "podman",
    "br-",
)


def node_address(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the node's addresses are the host's own, or which one it would be."""
    own = [one for interface in ctx.facts.interfaces for one in interface.addresses]
    if not ctx.node.addresses:
        yield from _default_address(ctx)
        return
    bare = {str(ipaddress.ip_interface(one).ip) for one in own}
    for address in ctx.node.addresses:
        parsed = ipaddress.ip_address(address)
        if parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local:
            yield Hit(
                f"{address} is no address that other hosts can use",
                "give the host's own address in the network",
            )
        elif str(parsed) not in bare:
            yield Hit(
                f"{address} is on no interface of the host; it has {_listed(ctx) or 'none'}",
                "correct spec.hosts[].address; where SSH takes another way (NAT), set ssh.host as well",
            )


def _default_address(ctx: CheckContext) -> Iterator[Hit]:
    """Judge kubeadm's way of choosing: the first global address of the default route's interface."""
    name = ctx.facts.default_route_interface
    candidates = [one for one in ctx.facts.interfaces if not one.name.startswith(_VIRTUAL) and one.addresses]
    if not ctx.facts.default_route_address:
        found = _listed(ctx)
        yield Hit(
            f"no default route, so no address to choose; the host has {found}"
            if found
            else "the host has no address",
            "name the address: spec.hosts[].address, or localAPIEndpoint.advertiseAddress",
        )
        return
    leading = [one for interface in candidates if interface.name == name for one in interface.addresses]
    v4 = [one for one in leading if ":" not in one]
    if len(v4) > 1:
        yield Hit(
            f"{name} has {len(v4)} IPv4 addresses ({', '.join(v4)}); "
            f"{ctx.facts.default_route_address} would be taken",
            "name the address: spec.hosts[].address, or localAPIEndpoint.advertiseAddress",
            severity=Severity.WARNING,
        )


def _listed(ctx: CheckContext) -> str:
    shown: list[Interface] = [one for one in ctx.facts.interfaces if not one.name.startswith(_VIRTUAL)]
    return ", ".join(f"{one.name} {', '.join(one.addresses)}" for one in shown if one.addresses)


def address_family(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the API server's address and its services are of one family, as it wants them."""
    address = ctx.node.advertise_address or ctx.facts.default_route_address
    networks = ctx.cluster.networking.service_networks
    if not address or not networks:
        return
    family = ipaddress.ip_address(address).version
    if family != networks[0].version:
        yield Hit(
            f"the API server would be at {address}, IPv{family}, and the first service subnet, "
            f"{networks[0]}, is IPv{networks[0].version}: it does not start with both",
            "name an address of that family: spec.hosts[].address, or localAPIEndpoint.advertiseAddress; or "
            "put the other service subnet first",
        )


def resolv_loop(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the name servers that pods with the host's DNS get, CoreDNS among them."""
    path = resolv_conf_of(ctx)
    fact = ctx.facts.files.get(path)
    text = (fact.content or b"").decode(errors="replace") if fact else ""
    if fact is None or fact.content is None:
        if path != RESOLV_CONF or not ctx.facts.resolv_conf:
            return
        text = ctx.facts.resolv_conf
    servers = [
        line.split()[1]
        for line in text.splitlines()
        if line.split()[:1] == ["nameserver"] and len(line.split()) > 1
    ]
    loops = [server for server in servers if _is_loopback(server)]
    if loops:
        who = _who_answers(ctx, loops[0])
        yield Hit(
            f"{path} names {loops[0]}{who}; CoreDNS would forward to itself and crash",
            "write the real servers to a file and name it in KubeletConfiguration.resolvConf",
            severity=Severity.WARNING if ctx.cluster.dns.disabled else None,
        )
    elif not servers:
        yield Hit(
            f"{path} names no server; names outside the cluster will not resolve in pods",
            "name a server there, or another file in KubeletConfiguration.resolvConf",
            severity=Severity.WARNING,
        )


def resolv_conf_of(ctx: CheckContext) -> str:
    """Return the file that the kubelet will read (contract 2.11)."""
    configured = str(ctx.cluster.kubelet_config.get("resolvConf") or "")
    if configured:
        return configured
    return paths.RESOLVED_RESOLV_CONF if ctx.facts.systemd_resolved_active else RESOLV_CONF


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _who_answers(ctx: CheckContext, server: str) -> str:
    for one in ctx.facts.listeners:
        if one.port == _DNS_PORT and one.process and one.address in (server, "0.0.0.0", "*", "::", ""):  # noqa: S104
            return f" ({one.process}, pid {one.pid})"
    return " (Docker's own)" if server == "127.0.0.11" else ""


def iptables_mode(ctx: CheckContext) -> Iterator[Hit]:
    """Look for rules that the host's iptables command does not see."""
    if ctx.facts.iptables_other_rules:
        other, tool = ("nf_tables", "nft") if ctx.facts.iptables_mode == "legacy" else ("legacy", "legacy")
        yield Hit(
            f"iptables works in mode {ctx.facts.iptables_mode}, but "
            f"{plural(ctx.facts.iptables_other_rules, 'rule')} sit in the {other} tables, and both filter",
            f"see them with iptables-{tool} -S; stop what writes them, and reboot",
        )


def mtu(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether packets of this host are larger than what another one takes."""
    found = {
        node.name: (interface.mtu, interface.name)
        for node in ctx.cluster.members
        if node.addresses and node.name in ctx.all_facts
        for interface in ctx.all_facts[node.name].interfaces
        if interface.mtu and node.address in {one.partition("/")[0] for one in interface.addresses}
    }
    if ctx.node.name not in found:
        return
    own, name = found[ctx.node.name]
    least, where = min((size, host) for host, (size, _) in found.items())
    if own > least:
        yield Hit(
            f"{name} has an MTU of {own}, that of {where} is {least}: large packets are lost between them "
            "where a pod network takes each host's own",
            f"set the same everywhere, for the next boot too: ip link set dev {name} mtu {least}",
        )


CHECKS = (
    Check(
        "NodeAddress",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The node's address is one of the host's, and it is clear which.",
        node_address,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "MTU",
        Severity.WARNING,
        Gate.HOST,
        NODES,
        "No other host takes smaller packets only.",
        mtu,
        kubeadm=False,
    ),
    Check(
        "AddressFamily",
        Severity.ERROR,
        Gate.HOST,
        frozenset({Target.INIT}),
        "The API server's address is of the first service subnet's family.",
        address_family,
        kubeadm=False,
    ),
    Check(
        "ResolvLoop",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "The name servers that CoreDNS inherits are not the host's own loopback (systemd-resolved is known).",
        resolv_loop,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "IptablesMode",
        Severity.WARNING,
        Gate.HOST,
        NODES,
        "No packet filter rules hide in the mode that the host's iptables does not use.",
        iptables_mode,
        kubeadm=False,
    ),
)
