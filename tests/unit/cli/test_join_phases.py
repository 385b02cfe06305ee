"""Phases of join that need nothing of the cluster, on hosts that no config names."""

from __future__ import annotations

import pytest

from kubeadm_py.cli.verbs import join
from kubeadm_py.model.cluster import Role
from kubeadm_py.model.phases import JOIN


@pytest.mark.parametrize(
    ("phase", "flags", "role"),
    [
        ("kubelet-wait-bootstrap", {}, Role.WORKER),
        ("kubelet-wait-bootstrap", {"control-plane": True}, Role.CONTROL_PLANE),
        ("wait-control-plane", {}, Role.CONTROL_PLANE),
        ("control-plane-join/mark-control-plane", {"node-name": "cp2"}, Role.CONTROL_PLANE),
    ],
)
def test_a_host_that_knows_enough(phase, flags, role):
    (node,) = join.member([], [phase], flags).nodes
    assert node.role is role
    assert node.name == flags.get("node-name", "")
    assert node.ssh is None


def test_these_are_phases():
    assert {phase.name for phase in JOIN} >= join.KNOW_ENOUGH
