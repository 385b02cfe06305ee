"""Write commands of this tool as an operator types them."""

from __future__ import annotations

import shlex

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node


def command(*words: str, host: str = "", config: str = "", flags: tuple[str, ...] = ()) -> str:
    """Return a command; without a config it is about this very machine."""
    named = ["--config", config] if config else []
    named += ["--host", host] if host else []
    return shlex.join(["kubeadm-py", *words, *named, *flags])


def at(cluster: ResolvedCluster, node: Node, *words: str, flags: tuple[str, ...] = ()) -> str:
    """Return a command about one host, which is named as the operator named it."""
    if node.ssh is None:
        return command(*words, flags=flags)
    if node.ssh.flag:
        return command(*words, host=node.ssh.flag, flags=flags)
    return command(*words, host=node.name, config=cluster.source_file, flags=flags)


def reset_preview(cluster: ResolvedCluster, node: Node) -> str:
    """Return the command that shows what a reset of a host would remove."""
    return at(cluster, node, "reset", flags=("--dry-run",))


def logs(component: str, host: str = "", config: str = "") -> str:
    """Return the command that shows what a component has logged; without a host it is this very machine's."""
    return command("logs", component, host=host, config=config)
