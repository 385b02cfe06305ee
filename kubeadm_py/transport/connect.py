"""Choose how a node is reached."""

from __future__ import annotations

from collections.abc import Iterable

from kubeadm_py.model.node import Node
from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.local import LocalHost


def host_for(node: Node, *, connect_timeout: float = 10.0) -> Host:
    """Return the Host of a node, not connected yet: this very machine where the node has no `ssh`."""
    if node.ssh is None:
        return LocalHost(node.name)
    # Imported late: fabric and what it brings take a tenth of a second, and --help has no use for them.
    from kubeadm_py.transport.ssh.host import SSHHost

    return SSHHost(node.name, node.ssh, connect_timeout=connect_timeout)


class Approached:
    """Begin to connect to nodes before anything is asked of them, while the program is still loading.

    Called with a node it returns its Host, as `host_for` does; whichever are never called for are closed by
    `close`.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._hosts: dict[tuple[str, SSH | None], Host] = {}
        for node in nodes:
            host = self._hosts[node.name, node.ssh] = host_for(node)
            host.approach()

    def __call__(self, node: Node) -> Host:
        """Return the node's Host, once; a second call makes a new one."""
        return self._hosts.pop((node.name, node.ssh), None) or host_for(node)

    def close(self) -> None:
        """Close what nobody called for."""
        while self._hosts:
            self._hosts.popitem()[1].close()
