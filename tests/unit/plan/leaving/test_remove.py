"""Removals from end to end on hosts that exist in memory."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import ExitCode, KubeadmPyError, LockedError, UnreachableError, UsageError
from kubeadm_py.kube.asking import Said
from kubeadm_py.model import paths
from kubeadm_py.plan.leaving import remove as removal
from kubeadm_py.plan.leaving.remove import Wish
from kubeadm_py.plan.reset import hosts as resetting
from kubeadm_py.plan.run import RunFailedError

ENDPOINT = "api.demo.internal:6443"


class Cluster:
    """A cluster of three control planes and a worker, as a control plane tells of it."""

    def __init__(self, world) -> None:
        self.world = world
        self.endpoint = ENDPOINT
        self.members = {name: f"10.0.0.{11 + index}" for index, name in enumerate(("cp1", "cp2", "cp3"))}
        self.silent: set[str] = set()
        self.done: list[str] = []
        world.api.nodes.update(dict.fromkeys(("cp1", "cp2", "cp3", "w1"), True))
        for machine in world.machines.values():
            machine.membership = self._who

    def _who(self) -> dict[str, object]:
        listed, health = [], []
        for index, (name, address) in enumerate(self.members.items()):
            client = f"https://{address}:2379"
            member = {"ID": index + 1, "name": name, "peerURLs": [f"https://{address}:2380"]}
            listed.append({**member, "clientURLs": [client]})
            health.append({"endpoint": client, "health": name not in self.silent})
        addresses = {node.name: node.address for node in self.world.cluster.nodes}
        nodes = [
            {
                **(node := self.world.api.node(name)),
                "status": {
                    **node["status"],
                    "addresses": [{"type": "InternalIP", "address": addresses.get(name, "10.0.0.99")}],
                },
            }
            for name in self.world.api.nodes
        ]
        config = {"controlPlaneEndpoint": self.endpoint}
        named = {
            "kind": "ConfigMap",
            "metadata": {"name": "kubeadm-config"},
            "data": {"ClusterConfiguration": json.dumps(config)},
        }
        return {
            "members": {"members": listed},
            "health": health,
            "listed": {"items": [*nodes, named, *self.world.machines["cp1"].config_maps()]},
        }

    def down(self, name: str, *, ready: bool = False) -> None:
        self.silent.add(name)
        self.world.api.nodes[name] = ready
        self.world.machines[name].unreachable = UnreachableError("no route to host", host=name)

    def remove(self, *names: str, dry_run: bool = False, yes: bool = True, **wish):
        run = self.world.a_run("remove", dry_run=dry_run)
        try:
            return removal.remove(run, Wish(names, **wish), confirm=lambda plan: yes)
        finally:
            run.close()

    def scripts(self, name: str) -> str:
        return "\n".join(self.world.machines[name].scripts)


@pytest.fixture
def cluster(make_world):
    world = make_world(up=True, control_planes=3, control_plane_endpoint=ENDPOINT)
    world.join("cp2", "cp3", "w1")
    world.forget()
    return Cluster(world)


def test_a_worker_is_drained_reset_and_forgotten(cluster):
    report = cluster.remove("w1", deadline=timedelta(seconds=30))
    cp1 = cluster.world.machines["cp1"]
    assert cp1.stages == ["drain", "forget"]
    drained, forgotten = cp1.scripts[-2:]
    assert re.search(r"drain w1 --ignore-daemonsets --delete-emptydir-data --timeout=30s ;", drained)
    assert "--disable-eviction" not in drained
    assert "delete node --ignore-not-found w1" in forgotten
    assert cluster.world.machines["w1"].stages == ["reset"]
    assert paths.KUBELET_CONF not in cluster.world.machines["w1"].content
    assert report is not None
    assert report.unreached == ()
    assert "member remove" not in cluster.scripts("cp1")


def test_a_control_plane_leaves_etcd_before_it_is_reset(cluster):
    cluster.remove("cp2")
    assert cluster.world.machines["cp1"].stages == ["drain", "leave", "forget"]
    assert "member remove 2" in cluster.scripts("cp1")
    assert f"{paths.PKI_DIR}/ca.key" not in cluster.world.machines["cp2"].content
    (warning,) = [event.text for event in cluster.world.event(Notice) if event.level == "warning"]
    assert "etcd survives no further loss" in warning


def test_the_first_control_plane_goes_like_any_other(cluster):
    cluster.remove("cp1")
    assert cluster.world.machines["cp2"].stages == ["drain", "leave", "forget"]
    assert cluster.world.machines["cp1"].stages == ["reset"]


def test_a_dead_host_is_removed_without_reaching_it(cluster):
    cluster.down("cp1")
    report = cluster.remove("cp1")
    assert report is not None
    assert report.unreached == ("cp1",)
    assert cluster.world.machines["cp1"].trips == []
    assert cluster.world.machines["cp2"].stages == ["leave", "forget"], "nobody confirms an eviction there"
    told = [event for event in cluster.world.event(Notice) if "cannot be reached" in event.text]
    assert [event.host for event in told] == ["cp1"]


def test_a_silent_host_whose_node_is_ready_stays_unless_forced(cluster):
    cluster.down("w1", ready=True)
    with pytest.raises(RunFailedError, match="and yet its node is Ready"):
        cluster.remove("w1")
    assert cluster.remove("w1", force=True) is not None


def test_what_would_cost_the_quorum_is_refused_before_anything_is_done(cluster):
    cluster.down("cp1")
    with pytest.raises(KubeadmPyError, match="to remove cp3 would cost etcd its quorum") as caught:
        cluster.remove("cp3")
    assert caught.value.fix == "first mend or remove what does not answer (cp1), then remove cp3"
    assert cluster.world.machines["cp2"].stages == []
    assert cluster.world.machines["cp3"].stages == []
    both = cluster.remove("cp3", "cp1")
    assert both is not None
    assert re.findall(r"member remove (\d)", cluster.scripts("cp2")) == ["1", "3"], "the dead one first"


def test_no_quorum_no_change(cluster):
    cluster.down("cp1")
    cluster.silent.add("cp3")
    with pytest.raises(KubeadmPyError, match="etcd has lost its quorum: 1 of 3 members answer"):
        cluster.remove("cp1")


def test_some_control_plane_stays(cluster):
    with pytest.raises(UsageError, match="no control plane of the file would be left"):
        cluster.remove("cp1", "cp2", "cp3")
    for name in ("cp1", "cp2"):
        cluster.down(name)
    with pytest.raises(RunFailedError, match="no control plane that stays can be reached") as caught:
        cluster.remove("cp3")
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert [error.host for error in caught.value.errors] == ["", "cp1", "cp2"], "and why, of each"


def test_the_host_that_the_endpoint_leads_to_stays_unless_forced(cluster):
    cluster.endpoint = "10.0.0.12:6443"
    with pytest.raises(RunFailedError, match=re.escape("endpoint 10.0.0.12:6443 is this host's own address")):
        cluster.remove("cp2")
    assert cluster.remove("cp1") is not None
    assert cluster.remove("cp2", force=True) is not None


def test_a_node_that_the_file_has_no_more(cluster):
    cluster.world.api.nodes["w9"] = False
    report = cluster.remove("w9")
    assert report is not None
    assert "delete node --ignore-not-found w9" in cluster.scripts("cp1")
    with pytest.raises(RunFailedError, match="neither the file nor the cluster knows a host w8"):
        cluster.remove("w8")


def test_another_clusters_host_is_not_reset(cluster):
    w1 = cluster.world.machines["w1"]
    w1.facts = replace(w1.facts, ca_public_key_sha256="0" * 64)
    with pytest.raises(RunFailedError, match="this host is a member of another cluster"):
        cluster.remove("w1")


def test_force_deletes_what_cannot_be_evicted(cluster):
    cluster.remove("w1", force=True)
    assert "--timeout=300s --force" in cluster.scripts("cp1")
    assert "--disable-eviction" in cluster.scripts("cp1")


def test_a_dry_run_and_a_no_do_nothing(cluster):
    report = cluster.remove("cp2", dry_run=True)
    assert [stage.id for stage in report.plan.stages if not stage.empty] == [
        "drain",
        "leave",
        "reset",
        "forget",
    ]
    assert cluster.remove("cp2", yes=False) is None
    assert all(machine.stages == [] for machine in cluster.world.machines.values())


def test_again_there_is_nothing_to_do(cluster):
    cluster.remove("cp3")
    del cluster.members["cp3"]
    cluster.world.forget()
    report = cluster.remove("cp3")
    assert report.changed == 0
    assert cluster.world.machines["cp1"].stages == []


def test_a_locked_host_ends_it(cluster):
    cluster.world.machines["cp2"].unreachable = LockedError("locked: another", host="cp2")
    with pytest.raises(RunFailedError, match="locked: another"):
        cluster.remove("w1")


def test_an_etcd_that_does_not_answer(cluster):
    cp1 = cluster.world.machines["cp1"]
    told = cp1.membership()
    cp1.membership = lambda: {**told, "members": Said(1, b"", b"Error: deadline\n")}
    with pytest.raises(KubeadmPyError, match="cannot say who is in the cluster") as caught:
        cluster.remove("w1")
    assert caught.value.details == ("Error: deadline",)


def test_a_reset_that_skips_etcd_says_what_it_leaves_in_the_cluster(cluster):
    world = cluster.world
    run = world.a_run("reset", skip_phases=("remove-etcd-member",))
    try:
        targets = [world.cluster.node(name) for name in ("cp2", "w1")]
        resetting.reset(run, targets, resetting.Wish(keep_artifacts=True), confirm=lambda plan: False)
    finally:
        run.close()
    (notice,) = [event for event in world.event(Notice) if event.level == "warning"]
    assert (notice.host, notice.fix) == ("cp2", "kubeadm-py remove cp2 --config c.yaml")
    assert "etcd member" in notice.text
