"""What is put around the steps that change a host which works."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    FileSpec,
    Guard,
    Remove,
    RestartStaticPod,
    RunScript,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.etcd import Birth
from kubeadm_py.model.facts import Listener, UnitFact
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.phases import Selection
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps.endpoint import vip
from kubeadm_py.steps.rolling import guard as rolling
from tests.unit.steps.conftest import seen


@pytest.fixture
def working(control_plane):
    """A control plane whose kubelet runs and whose API server serves."""
    facts = replace(
        control_plane.facts,
        files={paths.KUBELET_CONF: seen(paths.KUBELET_CONF, b"x")},
        units={"kubelet.service": UnitFact("kubelet.service", "loaded", "active", "enabled")},
        listeners=(Listener("tcp", "0.0.0.0", 6443),),
    )
    return replace(control_plane, facts=facts)


def writing(step: str, *files: str) -> PlannedStep:
    return PlannedStep(step, step, (WriteFiles(tuple(FileSpec(path, b"new") for path in files)),))


def actions(ctx, *steps: PlannedStep) -> list:
    return [action for step in rolling.guarded(ctx, steps) for action in step.actions]


def test_what_reads_a_changed_kubeconfig_is_started_anew(working):
    found = actions(working, writing("kubeconfig", paths.CONTROLLER_MANAGER_CONF))
    assert [type(each) for each in found] == [Guard, WriteFiles, RestartStaticPod, Wait, Settle]
    guard, _, restart, wait, _ = found
    assert restart.component == "kube-controller-manager"
    assert wait.title == "wait for kube-controller-manager to be back"
    assert guard.files == (paths.CONTROLLER_MANAGER_CONF,)
    assert [type(each) for each in guard.recover] == [RestartStaticPod, Wait]


def test_an_administrators_kubeconfig_restarts_nothing(working):
    found = actions(working, writing("kubeconfig", paths.ADMIN_CONF))
    assert [type(each) for each in found] == [Guard, WriteFiles, Settle]


def test_the_kubelet_comes_after_the_static_pods(working):
    kubelet = PlannedStep("kubelet-start", "kubelet", (Unit("kubelet.service", state="restarted"),))
    found = actions(working, writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml"), kubelet)
    assert [type(each) for each in found] == [Guard, WriteFiles, Wait, Unit, Wait, Settle]


@pytest.mark.parametrize(
    "change",
    [
        {"listeners": ()},
        {"files": {}},
        {"files": {path: seen(path, b"x") for path in (paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF)}},
    ],
    ids=["no API server", "no member", "joining still"],
)
def test_where_nothing_works_there_is_nothing_to_go_back_to(working, change):
    ctx = replace(working, facts=replace(working.facts, **change))
    step = writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml")
    assert rolling.guarded(ctx, [step]) == (step,)


def test_phases_alone_write_and_wait_for_nothing(working):
    step = writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml")
    ctx = replace(working, phases=Selection(("control-plane",)))
    assert rolling.guarded(ctx, [step]) == (step,)


@pytest.fixture
def etcd_host(control_plane):
    """A host of role etcd whose kubelet runs, beside a control plane."""
    node = Node("e1", Role.ETCD, ("10.0.0.31",))
    cluster = replace(control_plane.cluster, nodes=(*control_plane.cluster.nodes, node)).at(node)
    units = {"kubelet.service": UnitFact("kubelet.service", "loaded", "active", "enabled")}
    return replace(control_plane, cluster=cluster, node=node, facts=replace(control_plane.facts, units=units))


def test_a_member_of_etcd_on_a_host_of_its_own_waits_for_the_others_and_can_go_back(etcd_host):
    found = actions(etcd_host, writing("etcd", f"{paths.MANIFESTS_DIR}/etcd.yaml"))
    assert [type(each) for each in found] == [Wait, Guard, WriteFiles, Wait, Settle]
    others, guard, _, replaced, _ = found
    assert others.title == "wait for the other members of etcd"
    assert replaced.title == "wait for etcd to be replaced"
    assert [each.title for each in guard.recover] == ["wait for etcd to be replaced"]


def test_its_kubelet_belongs_to_no_cluster_that_could_be_asked(etcd_host):
    kubelet = PlannedStep("kubelet-start", "kubelet", (Unit("kubelet.service", state="restarted"),))
    found = actions(etcd_host, writing("kubelet-start", paths.KUBELET_CONFIG), kubelet)
    wait = next(each for each in found if isinstance(each, Wait))
    assert wait.title == "wait for the kubelet to be back"
    before, _, after = wait.until.partition("return 0\nanswer=")
    assert after, "it ends there"
    assert "stay up for" in before


def test_an_etcd_host_that_founds_its_cluster_has_nothing_to_go_back_to(etcd_host):
    step = writing("etcd", f"{paths.MANIFESTS_DIR}/etcd.yaml")
    newborn = replace(etcd_host, birth=Birth(("e1=https://10.0.0.31:2380",), "new", started=False))
    assert rolling.guarded(newborn, [step]) == (step,)


def test_a_balancer_that_goes_comes_back_where_the_api_does_not_answer_without_it(working):
    step = PlannedStep("endpoint", "x", (Remove((f"{paths.MANIFESTS_DIR}/haproxy.yaml",)),))
    answers = PlannedStep("endpoint-answers", "y", (Wait("answers", "true", timedelta(seconds=1)),))
    found = actions(working, answers, step)
    assert [type(each) for each in found] == [Guard, Remove, Wait, Settle]
    assert found[0].pods == ("haproxy",)
    assert [each.title for each in found[0].recover] == ["wait for haproxy to be replaced"]
    assert found[2].title == "answers"


def test_a_kubeconfig_that_a_script_edits_is_kept_and_its_kubelet_waited_for(working):
    edit = RunScript("kubelet.conf", "true", edits=(paths.KUBELET_CONF,))
    step = PlannedStep("endpoint-kubelet", "x", (edit, Unit("kubelet.service", state="restarted")))
    found = actions(working, step)
    assert [type(each) for each in found] == [Guard, RunScript, Unit, Wait, Settle]
    assert found[0].files == (paths.KUBELET_CONF,)
    assert [type(each) for each in found[0].recover] == [Unit, Wait]


def test_what_a_step_starts_anew_itself_is_not_started_twice(working):
    again = PlannedStep("endpoint-kubeconfigs", "x", (RestartStaticPod("kube-scheduler"),))
    found = actions(working, writing("endpoint-kubeconfigs", paths.SCHEDULER_CONF), again)
    assert [type(each) for each in found].count(RestartStaticPod) == 1


def test_a_stage_without_work_of_its_own_is_no_place_to_finish_what_was_cut_off(working):
    path = paths.kept_list("host")
    left = seen(path, f"kept {paths.KUBELET_CONFIG}\n".encode())
    ctx = replace(working, facts=replace(working.facts, files={**working.facts.files, path: left}))
    assert rolling.guarded_work(ctx, ()) == ()
    assert rolling.guarded(ctx, ()) != ()


class TestTheAddressThatMoves:
    """While what answers at the vip is replaced on a host, another control plane has it."""

    @pytest.fixture
    def holding(self, working):
        peer = Node("cp2", Role.CONTROL_PLANE, ("10.0.0.12",))
        cluster = replace(
            working.cluster,
            nodes=(working.node, peer),
            control_plane_endpoint="10.0.0.100:6443",
            load_balancer=LoadBalancer.VIP,
        )
        kept = {
            **working.facts.files,
            paths.KEEPALIVED_CONFIG: seen(paths.KEEPALIVED_CONFIG, b"    10.0.0.99/32 dev eth0\n"),
        }
        return replace(working, cluster=cluster, facts=replace(working.facts, files=kept))

    def around(self, ctx, *files: str) -> tuple[list[str], list[str]]:
        """Return the titles of what is done, and of what is done where it fails."""
        found = actions(ctx, writing("control-plane", *files))
        (guard,) = [each for each in found if isinstance(each, Guard)]
        return [getattr(each, "title", "") for each in found], [
            getattr(each, "title", "") for each in guard.recover
        ]

    @pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
    def test_it_goes_before_and_may_come_back_after(self, holding, name):
        done, recover = self.around(holding, f"{paths.MANIFESTS_DIR}/{name}.yaml")
        assert done.index(vip.LEAVES) < done.index("keep what changes")
        assert done.index(vip.RETURNS) > done.index(f"wait for {name} to be replaced")
        assert recover[-1] == vip.RETURNS

    def test_every_address_that_is_there_goes(self, holding):
        """An endpoint that is moving has an old one and a new one."""
        found = actions(holding, writing("control-plane", f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"))
        (leaves,) = [each for each in found if getattr(each, "title", "") == vip.LEAVES]
        assert "10.0.0.100/" in leaves.script
        assert "10.0.0.99/" in leaves.script

    def test_behind_a_balancer_only_the_balancer_counts(self, holding):
        kept = {**holding.facts.files, paths.HAPROXY_CONFIG: seen(paths.HAPROXY_CONFIG, b"x")}
        balanced = replace(holding, facts=replace(holding.facts, files=kept))
        assert vip.LEAVES not in self.around(balanced, f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml")[0]
        assert vip.LEAVES in self.around(balanced, f"{paths.MANIFESTS_DIR}/haproxy.yaml")[0]

    def test_where_nothing_that_answers_is_replaced_it_stays(self, holding):
        assert vip.LEAVES not in self.around(holding, f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml")[0]

    def test_nobody_else_could_take_it(self, holding):
        alone = replace(holding, cluster=replace(holding.cluster, nodes=(holding.node,)))
        assert vip.LEAVES not in self.around(alone, f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml")[0]

    def test_a_host_without_a_keeper_has_nothing_to_hand_over(self, working):
        assert vip.LEAVES not in self.around(working, f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml")[0]


class TestHandingOver:
    """The scripts themselves, with a stand-in for `ip`."""

    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        monkeypatch.setattr(paths, "KEEPALIVED_AWAY", str(tmp_path / "away"))
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

        def run(held: int) -> tuple[str, int]:
            """`held` is how often the address is still there when it is looked for."""
            (tmp_path / "held").write_text("x" * held)
            fake = tmp_path / "ip"
            fake.write_text(
                f"#!/bin/sh\ncd {tmp_path}\n[ -s held ] || exit 0\n"
                'left=$(cat held); printf %s "${left#x}" >held\n'
                "echo '2: eth0 inet 10.0.0.100/32 scope global eth0'\n"
            )
            fake.chmod(0o755)
            script = vip.leaving(["10.0.0.100"]).replace("sleep 0.2", "sleep 0")
            subprocess.run(["sh", "-eu", "-c", script], check=True, timeout=20)
            return (tmp_path / "away").read_text(), len((tmp_path / "held").read_text())

        return run

    def test_it_waits_until_the_address_is_gone(self, run):
        until, left = run(7)
        assert left == 0
        assert 0 < int(until) - time.time() <= vip.AWAY_SECONDS

    def test_an_address_that_nobody_takes_stops_nothing(self, run):
        assert run(10_000)[1] > 9000
