"""Choose how a node is reached."""

from __future__ import annotations

from kubeadm_py.model.cluster import Node
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.local import LocalHost


def host_for(node: Node, *, connect_timeout: float = 10.0) -> Host:
    """Return the Host of a node, not connected yet: this very machine where the node has no `ssh`."""
    if node.ssh is None:
        return LocalHost(node.name)
    # Imported late: fabric and what it brings take a tenth of a second, and --help has no use for them.
    from kubeadm_py.transport.ssh.host import SSHHost

    return SSHHost(node.name, node.ssh, connect_timeout=connect_timeout)
