"""reset from end to end on hosts that exist in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError
from kubeadm_py.model import paths
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.plan.reset import reset
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.transport.base import Result


def run_reset(world, *names: str, keep_artifacts: bool = False, confirmed: bool = True, **options):
    run = world.a_run("reset", **options)
    targets = [node for node in run.cluster.nodes if node.name in names]
    try:
        return reset(run, targets, keep_artifacts=keep_artifacts, confirm=lambda plan: confirmed)
    finally:
        run.close()


@pytest.fixture
def up(joined):
    joined.join("w1")
    joined.forget()
    return joined


def ours(machine) -> list[str]:
    """What a host still has of what init and join made, its prepared files aside."""
    return [path for path in machine.content if path.startswith((paths.KUBERNETES_DIR, paths.KUBELET_DIR))]


def test_a_worker_goes_and_its_node_with_it(up):
    report = run_reset(up, "w1")
    w1, cp1 = up.machines["w1"], up.machines["cp1"]
    assert w1.trips == ["hold", "reset"]
    assert [script for script in cp1.scripts if "delete node --ignore-not-found w1" in script]
    assert report.changed
    assert ours(w1) == []
    assert w1.facts.inventory is None, "the inventory goes last"
    assert w1.calls[-1].kind == "close"


def test_a_second_reset_finds_nothing(up):
    run_reset(up, "w1")
    up.forget()
    report = run_reset(up, "w1")
    assert (report.changed, report.untouched) == (0, ("w1",))
    assert up.machines["w1"].trips == ["hold"]
    assert up.machines["cp1"].calls == [], "no node is deleted for a host that held nothing"


def test_after_a_reset_everything_starts_over(up):
    ca = up.api.ca_pem
    run_reset(up, "cp1", "w1")
    assert ours(up.machines["cp1"]) == []
    up.forget()
    up.api.objects.clear()
    up.api.nodes.clear()
    up.init()
    up.join("w1")
    assert up.api.nodes["w1"]
    assert up.api.ca_pem != ca


def test_a_whole_cluster_asks_nobody_to_forget_nodes(up):
    run_reset(up, "cp1", "w1")
    assert not [script for script in up.machines["cp1"].scripts if "delete node" in script]


def test_artifacts_may_stay(up):
    run_reset(up, "w1", keep_artifacts=True)
    w1 = up.machines["w1"]
    assert ours(w1) == []
    left = Inventory.parse(w1.facts.inventory)
    assert not [path for path in left.files if path.startswith(paths.KUBERNETES_DIR)]


def test_a_dry_run(up):
    before = {name: machine.facts for name, machine in up.machines.items()}
    report = run_reset(up, "w1", dry_run=True)
    assert up.machines["w1"].trips == ["run"]
    assert not report.plan.empty
    assert report.changed == 0
    assert {name: machine.facts for name, machine in up.machines.items()} == before


def test_what_is_not_confirmed_is_not_done(up):
    before = up.machines["w1"].facts
    assert run_reset(up, "w1", confirmed=False) is None
    assert up.machines["w1"].trips == ["hold"]
    assert up.machines["w1"].facts == before
    assert up.machines["w1"].calls[-1].kind == "close"


def test_one_host_fails_and_the_others_go(make_world):
    world = make_world(up=True, workers=2)
    world.join("w1", "w2")
    world.machines["w1"].kill("reset", 0)
    with pytest.raises(RunFailedError) as caught:
        run_reset(world, "w1", "w2")
    assert [error.host for error in caught.value.errors] == ["w1"]
    assert ours(world.machines["w2"]) == []
    deleted = [script for script in world.machines["cp1"].scripts if "delete node" in script]
    assert "--ignore-not-found w2" in deleted[-1]
    assert "w1" not in deleted[-1]
    world.machines["w1"].failing.clear()
    run_reset(world, "w1")
    assert ours(world.machines["w1"]) == []


@pytest.mark.parametrize("how", ["unreachable", "refuses"])
def test_a_node_that_cannot_be_deleted_is_told(up, how):
    cp1 = up.machines["cp1"]
    if how == "unreachable":
        cp1.unreachable = UnreachableError("no route to host", host="cp1")
    else:
        cp1.answer("delete node", Result(1, b"", b"refused\n"))
    report = run_reset(up, "w1")
    assert report.changed
    [notice] = [event for event in up.event(Notice) if event.level == "warning"]
    assert notice.text.startswith("the Node objects of w1 may still be there: ")
    assert notice.fix == "kubectl delete node w1"
    assert cp1.calls[-1].kind == "close"


def test_a_host_of_another_cluster_is_refused(up):
    other = replace(up.cluster, name="other", cluster_name="other")
    with pytest.raises(RunFailedError, match="belongs to the cluster demo, not to other") as caught:
        run_reset(up, "w1", cluster=other)
    assert caught.value.exit_code is ExitCode.USAGE
    assert up.machines["w1"].trips == ["hold"]


def test_a_broken_inventory_removes_nothing(up):
    w1 = up.machines["w1"]
    w1.facts = replace(w1.facts, inventory=b'{"schema": 1, "files": {"/etc": "x"}}')
    before = w1.facts
    with pytest.raises(KubeadmPyError, match="cannot be read"):
        run_reset(up, "w1")
    assert w1.facts == before
    assert w1.stages == []
