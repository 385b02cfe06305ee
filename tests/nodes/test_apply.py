"""A whole cluster in one command: three control planes and a worker from bare nodes, then an edited file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from .cli import Cli, Done
from .conftest import LAB, NODES
from .fleet import Cluster, Fleet
from .test_journey import managed

pytestmark = pytest.mark.long

FOUNDERS = ("cp1", "cp2", "cp3")
ETCDCTL = (
    "etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt"
    " --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key"
)


@dataclass(frozen=True)
class Whole:
    """A cluster that apply made, and what the command said."""

    apply: Done
    config: Path
    cluster: Cluster
    nodes: tuple[Node, ...]

    def ready(self) -> dict[str, bool]:
        items = json.loads(self.cluster.kubectl("get", "nodes", "-o", "json"))["items"]
        return {
            item["metadata"]["name"]: any(
                each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
            )
            for item in items
        }

    def edited(self, name: str, **spec: object) -> Path:
        """Write the config with other fields of the Cluster document."""
        documents = list(yaml.safe_load_all(self.config.read_text()))
        for document in documents:
            if document["kind"] == "Cluster":
                document["spec"].update(spec)
        path = self.config.with_name(f"{name}.yaml")
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path

    @property
    def hosts(self) -> list[dict[str, object]]:
        documents = list(yaml.safe_load_all(self.config.read_text()))
        hosts: list[dict[str, object]] = documents[-1]["spec"]["hosts"]
        return hosts


@pytest.fixture(scope="module")
def whole(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """cp1, cp2, cp3 and w1, brought up by one apply; two of them have nothing on them at all."""
    fleet.bare()
    lab = nodes.up(LAB, (*FOUNDERS, "w1", "w2"))
    config = tmp_path_factory.mktemp("apply") / "cluster.yaml"
    documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
    spec = documents[-1]["spec"]
    spec["hosts"] = [host for host in spec["hosts"] if host["name"] != "w2"]
    config.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    # The lab's own file stays the one that other tests know.
    nodes.up(LAB, NODES)
    done = cli.run("apply", "--config", config)
    cluster = Cluster(config, lab.node("cp1"), (lab.node("w1"),))
    yield Whole(done, config, cluster, tuple(node for node in lab.nodes if node.name != "w2"))
    everywhere = [word for node in lab.nodes for word in ("--host", node.name)]
    cli.run("reset", "--config", lab_config(config, lab), "--yes", "--keep-artifacts", *everywhere)
    fleet.bare()


def lab_config(config: Path, lab: Lab) -> Path:
    """Write the config with every node of the lab."""
    documents = list(yaml.safe_load_all(config.read_text()))
    documents[-1]["spec"]["hosts"] = [
        {"name": node.name, "role": node.role, "address": node.address} for node in lab.nodes
    ]
    path = config.with_name("all.yaml")
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return path


def etcd(node: Node, *words: str) -> str:
    return nodes.exec(node, ["sh", "-c", f"{ETCDCTL} {' '.join(words)}"]).stdout


def test_all_nodes_are_ready(whole):
    assert "lab-test is up: 3 control planes, 3 etcd members, 1 worker" in whole.apply.out
    assert whole.ready() == dict.fromkeys((*FOUNDERS, "w1"), True)


def test_etcd_has_three_members_that_founded_it_together(whole):
    members = [line.split(", ") for line in etcd(whole.nodes[0], "member list").splitlines()]
    assert sorted(member[2] for member in members) == list(FOUNDERS)
    assert {(member[1], member[5]) for member in members} == {("started", "false")}, "none is a learner"
    assert "unhealthy" not in etcd(whole.nodes[0], "endpoint health --cluster 2>&1")


def test_every_control_plane_answers_and_runs_all_its_components(whole):
    for node in whole.nodes[:3]:
        script = "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://{}:6443 get --raw /readyz"
        assert nodes.exec(node, ["sh", "-c", script.format(node.address)]).stdout == "ok"
    pods = whole.cluster.kubectl(
        "get", "pods", "-n", "kube-system", "-l", "tier=control-plane", "-o", "name"
    ).split()
    assert len(pods) == 12


def test_the_ca_is_one_and_no_token_is_left(whole, cli):
    sums = {
        nodes.exec(node, ["sha256sum", "/etc/kubernetes/pki/ca.crt"]).stdout.split()[0]
        for node in whole.nodes
    }
    assert len(sums) == 1
    secrets = whole.cluster.kubectl("get", "secrets", "-n", "kube-system", "-o", "name")
    assert "bootstrap-token" not in secrets


def test_a_rerun_changes_nothing(whole, cli):
    before = {node.name: managed(node) for node in whole.nodes}
    again = cli.run("apply", "--config", whole.config, "--format", "json")
    assert again.report["changed"] == 0
    assert again.report["verdict"].endswith("nothing changed")
    assert {node.name: managed(node) for node in whole.nodes} == before


@pytest.mark.parametrize(("name", "role"), [("w1", "control-plane"), ("cp3", "worker")])
def test_a_role_that_changes_is_refused_and_nothing_is_touched(whole, cli, name, role):
    before = {node.name: managed(node) for node in whole.nodes}
    hosts = [{**host, "role": role} if host["name"] == name else host for host in whole.hosts]
    refused = cli.run("apply", "--config", whole.edited(f"{name}-{role}", hosts=hosts), code=3)
    assert "RoleChange" in refused.text
    assert f"kubeadm-py remove {name}" in refused.text
    assert "an odd number" in refused.text, "two or four members of etcd are warned of"
    assert {node.name: managed(node) for node in whole.nodes} == before


def test_an_edit_changes_what_was_edited_and_a_new_host_joins(whole, cli, fleet):
    untouched = {node.name: managed(node) for node in whole.nodes}
    w2 = fleet.node("w2")
    hosts = [{**host, "labels": {"disk": "ssd"}} if host["name"] == "w1" else host for host in whole.hosts]
    hosts.append({"name": "w2", "role": "worker", "address": w2.address})
    done = cli.run("apply", "--config", whole.edited("grown", hosts=hosts))
    assert "w2 joined lab-test and is Ready" in done.out
    assert whole.ready()["w2"]
    label = whole.cluster.kubectl("get", "node", "w1", "-o", "jsonpath={.metadata.labels.disk}")
    assert label == "ssd"
    for node in whole.nodes[1:]:
        assert managed(node) == untouched[node.name], "only the leader notes what it has done"


def test_a_worker_that_is_away_stops_nobody_else(whole, cli, fleet):
    hosts = [{**host, "labels": {"disk": "hdd"}} if host["name"] == "w1" else host for host in whole.hosts]
    hosts.append({"name": "w2", "role": "worker", "address": fleet.node("w2").address})
    nodes.exec(fleet.node("w2"), ["systemctl", "stop", "ssh.socket", "ssh.service"], check=False)
    try:
        done = cli.run("apply", "--config", whole.edited("away", hosts=hosts), code=7)
        assert "w2" in done.text
        label = whole.cluster.kubectl("get", "node", "w1", "-o", "jsonpath={.metadata.labels.disk}")
        assert label == "hdd"
    finally:
        nodes.exec(fleet.node("w2"), ["systemctl", "start", "ssh.service"])


def test_who_leaves_the_file_is_named_and_goes_only_with_prune(whole, cli, fleet):
    hosts = [host for host in whole.hosts if host["name"] != "cp3"]
    less = whole.edited("less", hosts=hosts)
    named = cli.run("apply", "--config", less)
    for name in ("cp3", "w2"):
        assert f"{name} is in the cluster, and the config does not name it" in named.text
    assert whole.ready().keys() >= {"cp3", "w2"}
    shown = cli.run("plan", "--config", less, code=0)
    assert "cp3 is in the cluster" in shown.text
    pruned = cli.run("apply", "--config", less, "--prune", "--yes")
    assert "removed: cp3, w2" in pruned.text
    assert set(whole.ready()) == {"cp1", "cp2", "w1"}
    assert "cp3" not in etcd(whole.nodes[0], "member list")
    for name in ("cp3", "w2"):
        left = nodes.exec(fleet.lab.node(name) if name == "w2" else whole.nodes[2], ["ls", "/etc"]).stdout
        assert "kubernetes" not in left.split()
    cli.run("apply", "--config", whole.config)
    assert whole.ready() == dict.fromkeys((*FOUNDERS, "w1"), True)
