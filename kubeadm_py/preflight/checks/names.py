"""Check what makes a host itself: its names and identities."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 253


def hostname(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the node's name can be one, and resolves on the host."""
    name = ctx.node.name
    if not _NODE_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        yield Hit(f"{name!r} is no name for a node", "use lower-case letters, digits, '-' and '.'")
        return
    known = {
        word for line in ctx.facts.hosts_file.splitlines() for word in line.partition("#")[0].split()[1:]
    }
    if name == ctx.facts.hostname and not ctx.facts.hostname_resolves and name not in known:
        address = ctx.node.addresses[0] if ctx.node.addresses else "ADDRESS"
        yield Hit(
            f"the host cannot resolve its own name {name}", f"add to /etc/hosts there: {address} {name}"
        )


def duplicate_hostname(ctx: CheckContext) -> Iterator[Hit]:
    """Look for another host with the same host name."""
    own = ctx.facts.hostname.lower()
    for other in _same(ctx, lambda facts: facts.hostname.lower()):
        # Node names are given to the kubelet, so equal host names only matter where one is a node's name.
        mistaken = own in (ctx.node.name.lower(), other.lower())
        yield Hit(
            f"its host name {ctx.facts.hostname} is also that of {other}",
            "is it the right machine? if so: hostnamectl set-hostname NAME on one of them",
            severity=Severity.ERROR if mistaken else Severity.WARNING,
        )


def duplicate_machine_id(ctx: CheckContext) -> Iterator[Hit]:
    """Look for another host with the same machine id: a cloned machine, or one machine twice."""
    for other in _same(ctx, lambda facts: facts.machine_id):
        yield Hit(
            f"its /etc/machine-id is also that of {other}: a clone, or the same machine twice "
            "(network, journal and DHCP identities are derived from it)",
            "on a clone: rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot",
        )


def duplicate_product_uuid(ctx: CheckContext) -> Iterator[Hit]:
    """Look for another host with the same firmware identity."""
    for other in _same(ctx, lambda facts: facts.product_uuid):
        yield Hit(
            f"its product_uuid {ctx.facts.product_uuid} is also that of {other}",
            "give each virtual machine its own UUID; nodes are told apart by it",
        )


def _same(ctx: CheckContext, identity: Callable[[HostFacts], str]) -> list[str]:
    """Return the hosts before this one that share a non-empty identity: each pair is told once."""
    own = identity(ctx.facts)
    names = list(ctx.all_facts)
    before = names[: names.index(ctx.node.name)] if ctx.node.name in names else names
    return [name for name in before if own and identity(ctx.all_facts[name]) == own]


CHECKS = (
    Check(
        "Hostname",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "The node's name is a valid one and resolves on the host.",
        hostname,
    ),
    Check(
        "DuplicateHostname",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "No two hosts share a host name (a warning where neither is a node under it).",
        duplicate_hostname,
        kubeadm=False,
    ),
    Check(
        "DuplicateMachineID",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "No two hosts share /etc/machine-id.",
        duplicate_machine_id,
        kubeadm=False,
    ),
    Check(
        "DuplicateProductUUID",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "No two hosts share the firmware's product_uuid.",
        duplicate_product_uuid,
        shared=True,
        kubeadm=False,
    ),
)
