"""reset from end to end on hosts that exist in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import ExitCode, KubeadmPyError, LockedError, UnreachableError
from kubeadm_py.model import paths
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.plan.reset.hosts import Wish, reset
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.transport.base import Result


def run_reset(world, *names: str, keep_artifacts: bool = False, confirmed: bool = True, **options):
    run = world.a_run("reset", **options)
    targets = [node for node in run.cluster.nodes if node.name in names]
    try:
        return reset(run, targets, Wish(keep_artifacts), confirm=lambda _: confirmed)
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
    assert cp1.trips == ["run", "forget"]
    assert "w1" not in up.api.nodes
    assert report.affected == ["w1"], "who is asked to forget a Node loses nothing"
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
    assert up.machines["cp1"].trips == ["run"]


class TestANodeThatIsLeft:
    """A reset was killed once the host was clean, and before its Node was deleted."""

    @pytest.fixture
    def left(self, up):
        run_reset(up, "w1")
        up.forget()
        up.api.nodes["w1"] = False
        up.api.addresses["w1"] = ("10.0.0.21",)
        return up

    def notices(self, world, level):
        return [event for event in world.event(Notice) if event.level == level]

    def test_it_goes_with_the_next_one(self, left):
        report = run_reset(left, "w1")
        assert "w1" not in left.api.nodes
        assert (report.changed, report.untouched, report.affected) == (1, (), ["w1"])
        assert left.machines["w1"].trips == ["hold"]
        (notice,) = self.notices(left, "info")
        assert (notice.host, notice.text) == ("w1", "it holds nothing, and the cluster still has its Node")

    def test_a_dry_run_says_so(self, left):
        report = run_reset(left, "w1", dry_run=True)
        (stage,) = [stage for stage in report.plan.stages if not stage.empty]
        assert [(host.host, host.steps[0].actions[0].title) for host in stage.hosts] == [
            ("cp1", "delete Node w1")
        ]
        assert "w1" in left.api.nodes

    def test_it_is_asked_before(self, left):
        assert run_reset(left, "w1", confirmed=False) is None
        assert "w1" in left.api.nodes

    def test_another_host_of_that_name_stays(self, left):
        left.api.nodes["w1"] = True
        left.api.addresses["w1"] = ("10.0.0.99",)
        report = run_reset(left, "w1")
        assert "w1" in left.api.nodes
        assert report.untouched == ("w1",)
        (warning,) = self.notices(left, "warning")
        assert warning.text == "the cluster's Node w1 is not this host, but 10.0.0.99: it stays"

    def test_one_that_no_kubelet_ever_told_of_goes(self, left):
        left.api.addresses.clear()
        run_reset(left, "w1")
        assert "w1" not in left.api.nodes

    def test_whoever_cannot_be_asked_is_told(self, left):
        left.machines["cp1"].unreachable = UnreachableError("no route to host", host="cp1")
        assert run_reset(left, "w1").untouched == ("w1",)
        (warning,) = self.notices(left, "warning")
        assert warning.text == "the Node objects of w1 may still be there: no route to host"

    def test_a_control_plane_of_no_cluster_knows_none(self, left):
        run_reset(left, "cp1")
        left.forget()
        run_reset(left, "w1")
        assert self.notices(left, "warning") == []

    def test_cleaning_is_what_it_is_for(self, left):
        run_reset(left, "w1", only_phases=("remove-etcd-member",))
        assert "w1" in left.api.nodes
        run_reset(left, "w1", only_phases=("cleanup-node",))
        assert "w1" not in left.api.nodes


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
    assert sorted(world.api.nodes) == ["w1"]
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


def member_id(world, name: str) -> int:
    names = [member.partition("=")[0] for member in world.api.etcd_members]
    return names.index(name) + 1


class TestEtcd:
    """Three control planes and a worker."""

    @pytest.fixture
    def three(self, make_world):
        world = make_world(up=True, control_planes=3, control_plane_endpoint="api.demo.internal:6443")
        world.join("cp2", "cp3", "w1")
        world.forget()
        return world

    def test_a_control_plane_leaves_where_others_go_on(self, three):
        run_reset(three, "cp2")
        cp2 = three.machines["cp2"]
        assert cp2.trips == ["hold", "run", "leave", "reset"]
        (left,) = [script for script in cp2.scripts if script.startswith("# stage leave")]
        assert f"member remove {member_id(three, 'cp2')}\n" in left
        asked = left.partition("--endpoints ")[2].partition(" ")[0]
        assert set(asked.split(",")) == {"https://10.0.0.11:2379", "https://10.0.0.13:2379"}
        # The etcd that has left lends its etcdctl no more: what comes after needs none.
        after = left.partition(f"member remove {member_id(three, 'cp2')}\n")[2]
        assert "etcdctl" not in after
        folder = "/etc/kubernetes/pki/etcd"
        for url in ("https://10.0.0.11:2379", "https://10.0.0.13:2379"):
            assert f"kpy_ask {folder}/healthcheck-client {folder}/ca.crt {url} /health" in after
        assert ours(cp2) == []
        (warning,) = [event.text for event in three.event(Notice) if event.level == "warning"]
        assert "etcd survives no further loss" in warning

    def test_one_look_serves_all_that_leave(self, three):
        run_reset(three, "cp2", "cp3", "w1")
        asked = [m for m in three.machines.values() for s in m.scripts if "# ask etcd who" in s]
        assert len(asked) == 1
        (left,) = [s for m in three.machines.values() for s in m.scripts if s.startswith("# stage leave")]
        for name in ("cp2", "cp3"):
            assert f"member remove {member_id(three, name)}\n" in left

    def test_the_whole_cluster_ends_without_farewells(self, three):
        run_reset(three, "cp1", "cp2", "cp3", "w1")
        for machine in three.machines.values():
            assert "leave" not in machine.stages
            assert ours(machine) == []

    def test_so_it_does_where_one_of_them_is_dead(self, three):
        three.machines["cp3"].unreachable = UnreachableError("no route to host", host="cp3")
        with pytest.raises(RunFailedError, match="no route to host") as caught:
            run_reset(three, "cp1", "cp2", "cp3", "w1")
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert caught.value.errors[0].fix == "once it is back: kubeadm-py reset --config c.yaml --host cp3"
        for name in ("cp1", "cp2", "w1"):
            assert ours(three.machines[name]) == []
            assert "leave" not in three.machines[name].stages

    def test_who_would_cost_the_others_their_quorum_is_not_touched(self, three):
        three.api.silent_members.add("cp3")
        before = three.machines["cp2"].facts
        with pytest.raises(KubeadmPyError, match="cost etcd its quorum") as caught:
            run_reset(three, "cp2")
        assert "--skip-phases remove-etcd-member" in caught.value.fix
        assert three.machines["cp2"].facts == before
        run_reset(three, "cp2", skip_phases=("remove-etcd-member",))
        assert f"{paths.PKI_DIR}/ca.key" not in three.machines["cp2"].content

    def test_a_silent_etcd_is_told_and_stops_nothing(self, three):
        three.api.etcd_members.clear()
        run_reset(three, "cp2")
        (notice,) = [event for event in three.event(Notice) if event.level == "warning"]
        assert notice.text.startswith("etcd does not answer")
        assert notice.fix == "kubeadm-py remove cp2 --config c.yaml"
        assert ours(three.machines["cp2"]) == []


class TestDeadHosts:
    def test_the_live_ones_are_reset_and_the_dead_named(self, make_world):
        world = make_world(up=True, workers=2)
        world.join("w1", "w2")
        world.machines["w1"].unreachable = UnreachableError("no route to host", host="w1")
        with pytest.raises(RunFailedError) as caught:
            run_reset(world, "w1", "w2")
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert ours(world.machines["w2"]) == []
        told = [event.text for event in world.event(Notice)]
        assert told == ["cannot be reached, and keeps all that is on it: no route to host", "w2 reset"]

    def test_nothing_is_done_where_nobody_is_there(self, up):
        up.machines["w1"].unreachable = UnreachableError("no route to host", host="w1")
        with pytest.raises(RunFailedError):
            run_reset(up, "w1")

    def test_another_kind_of_error_stops_it(self, make_world):
        world = make_world(up=True, workers=2)
        world.join("w1", "w2")
        world.machines["w1"].unreachable = LockedError("locked: another", host="w1")
        with pytest.raises(RunFailedError, match="locked"):
            run_reset(world, "w1", "w2")
        assert ours(world.machines["w2"]) != []

    def test_nodes_are_deleted_by_a_control_plane_that_lives(self, make_world):
        world = make_world(up=True, control_planes=2, control_plane_endpoint="api.demo.internal:6443")
        world.join("cp2", "w1")
        world.forget()
        world.machines["cp1"].unreachable = UnreachableError("no route to host", host="cp1")
        run_reset(world, "w1")
        assert world.machines["cp2"].trips == ["run", "forget"]
        assert "w1" not in world.api.nodes


class TestAHostByItself:
    """Without a file that names the others."""

    def reset(self, world, **options):
        run = world.a_run("reset", **options)
        run.config_name = ""
        node = world.cluster.node("cp1")
        run.cluster = replace(world.cluster, nodes=(node,))
        try:
            return reset(run, [node], Wish(whole_file=False), confirm=lambda _: True)
        finally:
            run.close()

    def test_the_last_of_its_cluster_just_goes(self, up):
        self.reset(up)
        assert not [script for script in up.machines["cp1"].scripts if "delete node" in script]

    def test_one_of_several_deletes_its_own_node(self, up):
        up.api.etcd_members.append("cp2=https://10.0.0.12:2380")
        self.reset(up)
        (script,) = [s for s in up.machines["cp1"].scripts if s.startswith("# stage forget")]
        assert up.machines["cp1"].stages == ["forget", "leave", "reset"]
        assert f"--kubeconfig {paths.ADMIN_CONF} --request-timeout 60s delete node" in script

    @pytest.mark.parametrize("flags", [True, False], ids=["by flags", "by kubeadm's documents"])
    def test_it_goes_by_its_own_name(self, up, flags):
        unnamed = replace(up.cluster.node("cp1"), name="", name_from_host=flags)
        cluster = replace(up.cluster, nodes=(unnamed,))
        up.machines[""] = up.machines["cp1"]
        up.api.etcd_members.append("cp2=https://10.0.0.12:2380")
        run = up.a_run("reset", cluster=cluster)
        report = reset(run, cluster.nodes, Wish(whole_file=False), confirm=lambda _: True)
        run.close()
        assert report.affected == [up.machines["cp1"].facts.hostname]

    def test_with_the_kubeconfig_that_is_named(self, up):
        up.api.etcd_members.append("cp2=https://10.0.0.12:2380")
        self.reset(up, kubeconfig="/root/admin.conf")
        assert "--kubeconfig /root/admin.conf " in "".join(up.machines["cp1"].scripts)
