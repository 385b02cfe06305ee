"""Phases of join that need nothing of the cluster, on hosts that no config names."""

from __future__ import annotations

import pytest

from kubeadm_py.cli.verbs import join
from kubeadm_py.errors import UsageError
from kubeadm_py.model.node import Role
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


class TestAControlPlaneOnItsOwnMachine:
    """kubeadm finds the cluster by the admin.conf that an earlier phase has made."""

    @pytest.fixture
    def admin_conf(self, tmp_path):
        path = tmp_path / "admin.conf"
        path.write_text("kind: Config\n")
        return str(path)

    def test_admin_conf_tells(self, admin_conf):
        found = join.with_own_admin({"control-plane": True}, [], ["etcd-join"], admin_conf)
        assert found == {"control-plane": True, "discovery-file": admin_conf}

    @pytest.mark.parametrize(
        ("flags", "hosts", "phases"),
        [
            ({"control-plane": True}, [], []),
            ({}, [], ["kubelet-start"]),
            ({"control-plane": True, "discovery-file": "mine.conf"}, [], ["kubelet-start"]),
            ({"control-plane": True}, ["root@10.0.0.12"], ["control-plane-prepare"]),
        ],
    )
    def test_elsewhere_the_flags_tell(self, admin_conf, flags, hosts, phases):
        assert join.with_own_admin(flags, hosts, phases, admin_conf) == flags

    @pytest.mark.parametrize("phase", ["etcd-join", "control-plane-prepare/control-plane", "check-etcd"])
    def test_a_phase_that_can_be_told_of_none_says_how(self, tmp_path, phase):
        nowhere = str(tmp_path / "admin.conf")
        with pytest.raises(
            UsageError, match=f"join phase {phase.replace('/', ' ')}: which cluster"
        ) as caught:
            join.with_own_admin({"control-plane": True}, [], [phase], nowhere)
        assert "--config FILE" in caught.value.fix


def test_these_are_phases():
    assert {phase.name for phase in JOIN} >= join.KNOW_ENOUGH
