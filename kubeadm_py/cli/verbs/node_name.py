"""Let --node-name speak beside a config, as kubeadm does."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.config import scalars
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import ResolvedCluster


def renamed(loaded: Loaded, name: str) -> ResolvedCluster:
    """Return the cluster of a bare kubeadm file with its one node called `name`; '' leaves it as it is.

    Raise UsageError beside a Cluster document, whose hosts have names, and for what is no node name.
    """
    cluster = loaded.cluster
    if not name:
        return cluster
    if loaded.has_cluster_document:
        raise UsageError(
            "--node-name does not go with a Cluster document", fix="its hosts have names: spec.hosts[].name"
        )
    try:
        (node,) = cluster.nodes
        return replace(cluster, nodes=(replace(node, name=scalars.node_name(name), name_from_host=False),))
    except ValueError as error:
        raise UsageError(f"--node-name {name!r}: {error}", fix="give a name like node-1") from error
