"""Let the members of a running cluster keep their Services while kube-proxy's pods are replaced."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.engine.parts import Part
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan import moving
from kubeadm_py.plan.build import build_stage
from kubeadm_py.plan.members import Members
from kubeadm_py.plan.moving import Checked
from kubeadm_py.plan.workflows import ENDPOINT_OBJECTS, PROXY_RULES
from kubeadm_py.steps import cluster_objects


def needed(members: Members) -> bool:
    """Say whether this run replaces pods of kube-proxy that are at work.

    Whether that changes their mode each host knows best: what an interrupted run, or a hand, has left need
    not be what the cluster's ConfigMap says.
    """
    leader = members.leader.name
    return members.running and cluster_objects.rolls_kube_proxy(members.context(leader, ENDPOINT_OBJECTS))


def parts(members: Members, checked: Checked) -> list[Part]:
    """Return what comes before kube-proxy's turn: all hosts that run it get ready."""
    return [
        Part(
            PROXY_RULES.id,
            PROXY_RULES.title,
            moving.hosts(members),
            lambda hosts: checked(_stage(members, hosts)),
            together=True,
        )
    ]


def as_it_is_now(members: Members) -> tuple[Stage, ...]:
    """Plan the same from what the hosts are like now."""
    return (_stage(members, moving.hosts(members)),)


def _stage(members: Members, hosts: Sequence[str]) -> Stage:
    return build_stage(PROXY_RULES, [members.context(name, PROXY_RULES) for name in hosts])
