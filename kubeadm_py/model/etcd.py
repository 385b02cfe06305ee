"""Describe how an etcd member came into being: fixed at its birth, and read back from its host."""

from __future__ import annotations

import json
from dataclasses import dataclass

from kubeadm_py.model import ports
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Node

Members = tuple[tuple[str, str], ...]
"""(name, peer URL) of each member."""


@dataclass(frozen=True, slots=True)
class Birth:
    """Say with whom a member starts for the first time.

    `state` is `new` for members that found a cluster together, `existing` for one that comes later.
    `started` says that the member has been up once: from then on an empty data directory is a loss, and
    starting it as `new` again could found a second cluster beside the first.
    """

    members: Members
    state: str = "new"
    started: bool = False

    @property
    def initial_cluster(self) -> str:
        """Return the members as etcd's flag initial-cluster takes them."""
        return ",".join(f"{name}={url}" for name, url in self.members)

    def names(self) -> frozenset[str]:
        """Return the members' names."""
        return frozenset(name for name, _ in self.members)

    def dump(self) -> bytes:
        """Return the record's bytes, the same for the same birth."""
        record = {"members": [list(member) for member in self.members], "state": self.state}
        return (json.dumps({**record, "started": self.started}) + "\n").encode()

    @classmethod
    def parse(cls, raw: bytes | None) -> Birth | None:
        """Read a record; None for what is none."""
        try:
            record = json.loads(raw or b"")
            members = tuple((str(name), str(url)) for name, url in record["members"])
            return cls(members, str(record["state"]), record["started"] is True)
        except (ValueError, TypeError, KeyError):
            return None


def peer_url(node: Node) -> str:
    """Return the URL at which a control plane's member talks to the others."""
    return f"https://{join_host_port(node.advertise_address or node.address, ports.ETCD_PEER)}"


def parse_members(initial_cluster: str) -> Members:
    """Read etcd's flag initial-cluster."""
    pairs = (part.partition("=") for part in initial_cluster.split(",") if "=" in part)
    return tuple((name, url) for name, _, url in pairs)
