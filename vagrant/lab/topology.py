"""Name the labs, their networks and their nodes: the one table of who is where."""

import ipaddress
from dataclasses import dataclass

POD_SUBNET = "10.244.0.0/16"
# Kubernetes' usual 10.96.0.0/12 would swallow the labs' own networks.
SERVICE_SUBNET = "10.96.0.0/16"

NETWORKS = {
    "demo": "10.99.0.0/24",
    "test": "10.99.1.0/24",
    "bench": "10.99.2.0/24",
}
"""Lab -> network: `make up`, the node tests and `make bench` each have their own, so all may run at once."""

_NODES = {
    "cp1": ("control-plane", 11),
    "cp2": ("control-plane", 12),
    "cp3": ("control-plane", 13),
    "w1": ("worker", 21),
    "w2": ("worker", 22),
    "w3": ("worker", 23),
}

NODES = tuple(_NODES)
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
        return f"kubeadm-py-{self.lab}-{self.name}"


def node(lab: str, name: str) -> Node:
    """Return the node of that name in a lab."""
    role, last = _NODES[name]
    return Node(lab, name, role, str(ipaddress.ip_network(NETWORKS[lab])[last]))


def gateway(lab: str) -> str:
    """Return this machine's own address in a lab's network."""
    return str(ipaddress.ip_network(NETWORKS[lab])[1])
