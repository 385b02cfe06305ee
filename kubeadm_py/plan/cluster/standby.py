"""Say what can wait on the founders of a cluster until all hosts have joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.kubelet import finalize, serving

_IDLE = (static_pods.STEP_FOLLOWING.id, control_plane_waits.STEP_OTHERS.id)
"""Beside the first one, controller managers and schedulers only wait for the first one's to fail."""


def later(cluster: ResolvedCluster, beginning: Iterable[Node], leader: str) -> Mapping[str, frozenset[str]]:
    """Return the ids of the steps that come last, by the names of the founders beside the leader.

    All of them would take the processor from what makes the nodes Ready.
    """
    # A kubelet that asks the cluster to let it serve asks anew when it starts anew: whoever approves would
    # look too early.
    rotation = () if serving.asks_the_cluster(cluster) else (finalize.STEP.id,)
    return {node.name: frozenset((*rotation, *_IDLE)) for node in beginning if node.name != leader}
