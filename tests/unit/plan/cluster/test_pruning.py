"""Hosts that the config names no more: named by apply, taken out with prune, judged beforehand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.kube.asking import Said
from kubeadm_py.model import paths
from kubeadm_py.model.ssh import SSH
from kubeadm_py.plan.cluster import apply
from kubeadm_py.plan.leaving.remove import without
from kubeadm_py.plan.run import RunFailedError

from ..leaving.test_remove import ENDPOINT, Cluster


@pytest.fixture
def cluster(make_world) -> Cluster:
    world = make_world(control_planes=3, workers=2, control_plane_endpoint=ENDPOINT, ssh=SSH(""))
    world.apply()
    world.forget()
    made = Cluster(world)
    world.api.nodes["w2"] = True
    return made


def dropped(cluster: Cluster, *names: str, prune=None, **options):
    world = cluster.world
    run = world.a_run("apply", cluster=without(world.cluster, names), **options)
    connect = {SSH_HOSTS[name]: machine for name, machine in world.machines.items()}
    run.connect = lambda node: connect[node.ssh.host]
    try:
        return apply.apply(run, prune=prune)
    finally:
        run.close()


SSH_HOSTS = {
    **{f"cp{number}": f"10.0.0.1{number}" for number in (1, 2, 3)},
    **{f"w{number}": f"10.0.0.2{number}" for number in (1, 2)},
}


def warnings(cluster: Cluster) -> list[str]:
    return [event.text for event in cluster.world.event(Notice) if event.level == "warning"]


def test_who_is_dropped_is_named_and_stays(cluster):
    report = dropped(cluster, "w2", "cp3")
    assert report.changed == 0
    assert warnings(cluster) == [
        f"{name} is in the cluster, and the config does not name it; it stays as it is"
        for name in ("cp3", "w2")
    ]
    assert cluster.world.machines["w2"].trips == []
    assert paths.KUBELET_CONF in cluster.world.machines["w2"].content


def test_nobody_is_named_where_all_are_in_the_config(cluster):
    assert dropped(cluster).changed == 0
    assert warnings(cluster) == []
    assert cluster.world.machines["cp1"].trips.count("ask") == 1, "the leader is asked once"
    assert "run" not in cluster.world.machines["cp1"].trips


def test_prune_takes_them_out_after_all_else(cluster):
    asked = []
    report = dropped(cluster, "w2", "cp3", prune=lambda names: asked.append(list(names)) or True)
    assert asked == [["cp3", "w2"]]
    assert report.removed == ("cp3", "w2")
    leader = cluster.world.machines["cp1"]
    assert leader.stages[-3:] == ["drain", "leave", "forget"]
    assert "member remove 3" in cluster.scripts("cp1")
    for name in ("cp3", "w2"):
        assert paths.KUBELET_CONF not in cluster.world.machines[name].content
        assert cluster.world.machines[name].stages == ["reset"]
    released = [call.kind for call in cluster.world.machines["w2"].calls]
    assert released.count("hold") == released.count("release") == 1


def test_a_plan_shows_what_prune_would_do_and_does_nothing(cluster):
    report = dropped(cluster, "w2", prune=lambda _: pytest.fail("a plan asks nobody"), dry_run=True)
    assert [stage.id for stage in report.plan.stages if not stage.empty][-3:] == ["drain", "reset", "forget"]
    assert cluster.world.machines["w2"].stages == []


def test_what_is_not_confirmed_changes_nothing(cluster):
    with pytest.raises(UsageError, match="not confirmed"):
        dropped(cluster, "w2", prune=lambda _: False)
    assert all(machine.stages == [] for machine in cluster.world.machines.values())


def test_what_would_cost_the_quorum_is_refused_before_anything_is_done(cluster):
    cluster.silent.add("cp2")
    with pytest.raises(KubeadmPyError, match="to remove cp3 would cost etcd its quorum"):
        dropped(cluster, "cp3", prune=lambda _: True)
    assert all(machine.stages == [] for machine in cluster.world.machines.values())


def test_a_verdict_is_not_older_than_the_drain(cluster):
    machine = cluster.world.machines["cp1"]
    machine.before_stage = lambda stage: cluster.silent.add("cp2") if stage == "drain" else None
    with pytest.raises(KubeadmPyError, match="would cost etcd its quorum") as refused:
        cluster.remove("cp3")
    assert "no member is gone" in refused.value.details[0]
    assert machine.stages == ["drain"]
    assert "member remove" not in cluster.scripts("cp1")
    assert cluster.world.machines["cp3"].stages == []


def test_a_dead_control_plane_that_is_dropped_goes_without_being_reached(cluster):
    cluster.down("cp1")
    report = dropped(cluster, "cp1", prune=lambda _: True)
    assert report.removed == ("cp1",)
    assert cluster.world.machines["cp2"].stages[-2:] == ["leave", "forget"]


def test_a_cluster_that_cannot_tell_is_mended_all_the_same(cluster):
    cp1 = cluster.world.machines["cp1"]
    told = cp1.membership()
    cp1.membership = lambda: {**told, "members": Said(1, b"")}
    assert dropped(cluster).changed == 0
    with pytest.raises(KubeadmPyError, match="cannot say who is in the cluster"):
        dropped(cluster, "w2", prune=lambda _: True)


def test_a_worker_that_cannot_be_reached_stops_nobody_else(cluster):
    world = cluster.world
    gone = world.machines["w2"]
    gone.unreachable = UnreachableError("no route to host", host="w2")
    labelled = tuple(
        replace(node, labels={"disk": "ssd"}) if node.name == "w1" else node for node in world.cluster.nodes
    )
    report = world.apply(cluster=replace(world.cluster, nodes=labelled))
    assert report.changed > 0
    assert [error.exit_code for error in report.unreached] == [ExitCode.UNREACHABLE]
    assert "left out of this run: no route to host" in warnings(cluster)


def test_a_control_plane_that_cannot_be_reached_stops_all(cluster):
    cluster.world.machines["cp2"].unreachable = UnreachableError("no route to host", host="cp2")
    with pytest.raises(RunFailedError):
        cluster.world.apply()
    assert all(machine.stages == [] for machine in cluster.world.machines.values())


def test_a_join_that_was_cut_off_before_its_node_was_ready_is_waited_for(cluster):
    assert dropped(cluster).changed == 0
    assert cluster.world.machines["w1"].stages == [], "it is a member, and its node is Ready"
    cluster.world.api.nodes["w1"] = False
    cluster.world.forget()
    assert dropped(cluster).changed == 0
    (script,) = [call.text for call in cluster.world.machines["w1"].calls if "# stage join" in call.text]
    assert "get node w1" in script
    assert cluster.world.machines["w2"].stages == []
