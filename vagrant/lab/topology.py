"""Name the labs, their networks and their nodes: the one table of who is where."""

import ipaddress
import os
from dataclasses import dataclass

POD_SUBNET = "10.244.0.0/16"
# Kubernetes' usual 10.96.0.0/12 would swallow the labs' own networks.
SERVICE_SUBNET = "10.96.0.0/16"

SITE = int(os.environ.get("LAB_SITE", "0"))
"""Which set of labs this is, 0 to 24: several checkouts may each have their own on one machine."""

NETWORKS = {lab: f"10.99.{10 * SITE + index}.0/24" for index, lab in enumerate(("demo", "test", "bench"))}
"""Lab -> network: `make up`, the node tests and `make bench` each have their own, so all may run at once."""

_NODES = {
    "cp1": ("control-plane", 11),
    "cp2": ("control-plane", 12),
    "cp3": ("control-plane", 13),
    "w1": ("worker", 21),
    "w2": ("worker", 22),
    "w3": ("worker", 23),
    "e1": ("etcd", 31),
    "e2": ("etcd", 32),
    "e3": ("etcd", 33),
}

NODES = tuple(_NODES)
_FIRST_LIGHT = 140
DEFAULT_NODES = ("cp1", "w1", "w2")


@dataclass(frozen=True)
class Node:
    """A machine of a lab."""

    lab: str
    name: str
    role: str
    address: str

    @property
    def container(self) -> str:
        """Return the name of the node's container."""
        return f"kubeadm-py-{on_machine(self.lab)}-{self.name}"


def on_machine(lab: str) -> str:
    """Return what tells a lab from those of other sites on this machine."""
    return f"{lab}{SITE}" if SITE else lab


def node(lab: str, name: str) -> Node:
    """Return the node of that name in a lab."""
    role, last = _NODES[name]
    return Node(lab, name, role, address(lab, last))


def light(lab: str, number: int) -> Node:
    """Return a light host of a lab by its number, which begins with 1."""
    return Node(lab, f"light{number}", "worker", address(lab, _FIRST_LIGHT + number))


def gateway(lab: str) -> str:
    """Return this machine's own address in a lab's network."""
    return address(lab, 1)


def address(lab: str, last: int) -> str:
    """Return an address of a lab's network by its last number; those from 100 on belong to no node, and to
    light hosts from 140 on.
    """
    return str(ipaddress.ip_network(NETWORKS[lab])[last])
