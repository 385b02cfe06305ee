"""What `status` makes of what hosts and the API say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import UnreachableError
from kubeadm_py.kube.asking import Said
from kubeadm_py.model import paths
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.plan.status import questions as status_questions
from kubeadm_py.plan.status import survey as status
from kubeadm_py.transport.fake import FakeHost

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CHANGED = "2026-11-30T10:00:00Z"


def node(name: str, ready: str = "True", message: str = "") -> dict:
    return {
        "metadata": {"name": name},
        "status": {
            "nodeInfo": {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.3.7"},
            "conditions": [{"type": "Ready", "status": ready, "message": message}],
        },
    }


def pod(name: str, where: str, *, labels=None, image="x:v1.36.3", ready=True, began="") -> dict:
    state = {"ready": ready, "state": {"running": {"startedAt": began}}}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"nodeName": where, "containers": [{"image": image}]},
        "status": {"containerStatuses": [state]},
    }


def proxy(where: str, began: str) -> dict:
    return pod(f"kube-proxy-{where}", where, labels={"k8s-app": "kube-proxy"}, began=began)


def said(**answers: object) -> dict[str, Said]:
    """Return what a control plane answers, in the keys' underscored spelling."""
    found = {
        "readyz": "ok",
        "version": {"gitVersion": "v1.36.3"},
        "nodes": {"items": [node("cp1"), node("w1")]},
        "pods": {"items": []},
        **answers,
    }
    return {
        name.replace("_", "-"): Said(0, (value if isinstance(value, str) else json.dumps(value)).encode())
        for name, value in found.items()
    }


@pytest.fixture
def look(make_world):
    """Return a look at one control plane and one worker."""
    world = make_world(workers=1)

    def found(cp1: dict | None = None, w1: dict | None = None, *, errors=(), facts_of=()):
        sessions = {}
        for each in world.cluster.nodes:
            if each.name in {error.host for error in errors}:
                continue
            facts = replace(world.machines[each.name].facts, **dict(facts_of).get(each.name, {}))
            sessions[each.name] = Session(each, FakeHost(each.name), facts, Inventory(), "")
        answers = {"cp1": said() if cp1 is None else cp1, "w1": w1 or {}}
        answers = {name: each for name, each in answers.items() if name in sessions}
        return status.status(world.cluster, sessions, answers, tuple(errors), NOW)

    return found


def test_a_node_is_what_the_api_says_of_it(look):
    nodes = {"items": [node("cp1"), node("w1", "False", "cni plugin not initialized"), node("w9")]}
    found = look(said(nodes=nodes), {"proxy-mode": Said(0, b"nftables\n")})
    cp1, w1 = found.hosts
    assert (cp1.ready, cp1.version, cp1.runtime, cp1.api) == (True, "v1.36.3", "containerd 2.3.7", True)
    assert (w1.ready, w1.why, w1.api, w1.proxy_mode) == (
        False,
        "cni plugin not initialized",
        None,
        "nftables",
    )
    assert found.strangers == ("w9",)


def test_without_an_api_server_nothing_is_claimed(look):
    found = look({"readyz": Said(1, b"[-]etcd failed")})
    assert [host.ready for host in found.hosts] == [None, None]
    assert found.hosts[0].api is False
    assert found.version == ""


def test_a_host_that_was_not_reached_is_told_with_its_reason(look):
    error = UnreachableError("connection refused", host="w1")
    found = look(errors=[error])
    assert found.hosts[1].problem == "connection refused"
    assert found.hosts[1].ready, "the cluster knows more of it than we do"


def test_components_that_are_not_ready_or_not_there(look):
    pods = [
        pod("kube-apiserver-cp1", "cp1", image="registry.k8s.io/kube-apiserver:v1.36.3"),
        pod("kube-scheduler-cp1", "cp1", image="registry.k8s.io/kube-scheduler:v1.36.3", ready=False),
    ]
    assert look(said(pods={"items": pods})).hosts[0].components == {
        "kube-apiserver": "v1.36.3",
        "kube-controller-manager": "not there",
        "kube-scheduler": "v1.36.3 not ready",
    }


def test_etcd_members_by_name(look):
    member = {"ID": 10, "name": "cp1", "clientURLs": ["https://10.0.0.11:2379"], "peerURLs": []}
    listed = {"members": [member]}
    header = {"member_id": 10}
    answered = [{"Endpoint": "https://10.0.0.11:2379", "Status": {"header": header, "leader": 10}}]
    both = said(etcd_members=listed, etcd_status=answered)
    assert look(both).hosts[0].etcd == "leader"
    assert look(said(etcd_members=listed)).hosts[0].etcd == "does not answer"


def config_map(*times: tuple[str, str]) -> dict:
    fields = [{"time": when, "fieldsV1": {what: {}}} for what, when in times]
    return {"metadata": {"managedFields": fields}}


def test_pods_that_are_older_than_their_config_map_are_named(look):
    pods = {"items": [proxy("cp1", "2026-11-30T09:59:59Z"), proxy("w1", CHANGED)]}
    found = look(said(pods=pods, kube_proxy=config_map(("f:data", CHANGED))))
    [old] = found.old_pods
    assert (old.name, old.node, old.changed) == ("kube-proxy-cp1", "cp1", CHANGED)


def test_an_annotation_is_no_configuration(look):
    pods = {"items": [proxy("cp1", "2026-11-30T09:00:00Z")]}
    changes = config_map(("f:data", "2026-11-30T08:00:00Z"), ("f:metadata", CHANGED))
    assert look(said(pods=pods, kube_proxy=changes)).old_pods == ()


def test_a_change_that_was_cut_off_shows(look):
    fact = FileFact(paths.kept_list("host"), 0o600, "root:root")
    found = look(facts_of={"w1": {"files": {paths.kept_list("host"): fact}}})
    assert [host.unsettled for host in found.hosts] == [False, True]


def test_workloads_of_the_file_and_kubeadms_own(look):
    def workload(name: str, namespace: str, **status: int) -> dict:
        return {"metadata": {"name": name, "namespace": namespace}, "spec": {"replicas": 2}, "status": status}

    found = look(
        said(
            daemonsets={
                "items": [
                    workload("kube-proxy", "kube-system", desiredNumberScheduled=2, numberReady=1),
                    workload("foreign", "default", desiredNumberScheduled=2),
                ]
            },
            deployments={"items": [workload("coredns", "kube-system", readyReplicas=2)]},
        )
    )
    assert [(each.name, each.ready, each.wanted) for each in found.workloads] == [
        ("kube-proxy", 1, 2),
        ("coredns", 2, 2),
    ]


def test_every_host_is_asked_once(make_world):
    world = make_world(workers=2, up=True)
    for machine in world.machines.values():
        machine.forget()
    run = world.a_run("status")
    try:
        found = status.survey(run)
    finally:
        run.close()
    assert {name: machine.trips for name, machine in world.machines.items()} == {
        name: ["run"] for name in ("cp1", "w1", "w2")
    }
    assert found.errors == ()
    assert not [call for call in world.machines["cp1"].calls if call.kind == "hold"], "nothing is locked"


class TestEtcdApart:
    """Hosts of role etcd are no nodes of the cluster; who the members are they say themselves."""

    @pytest.fixture
    def found(self, make_world):
        world = make_world(control_planes=1, workers=1, etcd_hosts=3, control_plane_endpoint="10.0.0.11:6443")
        world.apply()
        members = [
            {"ID": number, "name": f"e{number}", "clientURLs": [f"https://10.0.0.3{number}:2379"]}
            for number in (1, 2, 3)
        ]
        answered = [
            {"Endpoint": "x", "Status": {"header": {"member_id": number}, "leader": 2}} for number in (1, 2)
        ]
        answers = {name: {} for name in world.machines}
        answers["cp1"] = said()
        answers["e1"] = {
            name: each
            for name, each in said(etcd_members={"members": members}, etcd_status=answered).items()
            if name.startswith("etcd")
        }
        sessions = {
            each.name: Session(each, FakeHost(each.name), world.machines[each.name].facts, Inventory(), "")
            for each in world.cluster.nodes
        }
        return status.status(world.cluster, sessions, answers, (), NOW)

    def test_their_members_are_told(self, found):
        told = {host.name: host.etcd for host in found.hosts if host.role == "etcd"}
        assert told == {"e1": "member", "e2": "leader", "e3": "does not answer"}

    def test_their_certificates_count(self, found):
        assert {host.name for host in found.hosts if host.certificate} == {"cp1", "e1", "e2", "e3"}

    def test_they_are_asked_and_know_no_api(self, make_world):
        world = make_world(control_planes=1, workers=1, etcd_hosts=1, control_plane_endpoint="10.0.0.11:6443")
        asked = {node.name: status_questions.questions(world.cluster, node) for node in world.cluster.nodes}
        assert {name for name, script in asked.items() if "member list" in script} == {"e1"}
        assert "kubectl" not in asked["e1"]
        assert "proxyMode" not in asked["e1"]


def test_where_the_file_has_no_kube_proxy_nobody_waits_for_its_answer(make_world):
    world = make_world(workers=1, proxy_disabled=True, up=True)
    sessions = {
        each.name: Session(each, FakeHost(each.name), world.machines[each.name].facts, Inventory(), "")
        for each in world.cluster.nodes
    }
    found = status.status(world.cluster, sessions, {"cp1": said(), "w1": {}}, (), NOW)
    assert {host.proxy_mode for host in found.hosts} == {"disabled"}
    assert "proxyMode" not in status_questions.questions(world.cluster, world.cluster.nodes[0])
