"""Let the members of a running cluster keep their Services while kube-proxy's pods are replaced."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.engine.parts import Part
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan.build import build_stage
from kubeadm_py.plan.cluster import moving
from kubeadm_py.plan.cluster.members import Members
from kubeadm_py.plan.cluster.moving import Checked
from kubeadm_py.plan.workflows import (
    CONTROL_PLANES,
    ENDPOINT_OBJECTS,
    PROXY_READS,
    PROXY_RULES,
    StageDefinition,
)
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.kube_proxy import reads as proxy_reads


def needed(members: Members) -> bool:
    """Say whether this run replaces pods of kube-proxy that are at work, or one that was cut off began to.

    Whether that changes their mode each host knows best: what an interrupted run, or a hand, has left need
    not be what the cluster's ConfigMap says.
    """
    if not members.running:
        return False
    begun = any(
        proxy_reads.AWAITED in members.run.sessions[name].facts.files for name in moving.hosts(members)
    )
    return begun or cluster_objects.rolls_kube_proxy(members.context(members.leader.name, ENDPOINT_OBJECTS))


def before(members: Members, checked: Checked) -> Part:
    """Return what comes before kube-proxy's turn: all hosts that run it get ready."""
    return _part(members, checked, PROXY_RULES)


def behind(members: Members, checked: Checked) -> Part:
    """Return what comes behind it: each host makes sure of what its kube-proxy has read."""
    replacing = ENDPOINT_OBJECTS if members.moving else CONTROL_PLANES
    return _part(members, checked, PROXY_READS, after=(replacing.id,))


def as_it_is_now(members: Members, definition: StageDefinition) -> Stage:
    """Plan either of both from what the hosts are like now."""
    return _stage(members, definition, moving.hosts(members))


def _part(
    members: Members, checked: Checked, definition: StageDefinition, after: tuple[str, ...] = ()
) -> Part:
    return Part(
        definition.id,
        definition.title,
        moving.hosts(members),
        lambda hosts: checked(_stage(members, definition, hosts)),
        together=True,
        after=after,
    )


def _stage(members: Members, definition: StageDefinition, hosts: Sequence[str]) -> Stage:
    return build_stage(definition, [members.context(name, definition) for name in hosts])
