"""etcd on hosts of its own: three members, two control planes and a worker from bare nodes in one command."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from .cli import Cli, Done
from .conftest import LAB, NODES
from .fleet import ADMIN, Fleet
from .test_journey import managed
from .test_rolling import turns

pytestmark = pytest.mark.long

MEMBERS = ("e1", "e2", "e3")
CONTROL_PLANES = ("cp1", "cp2")
ETCDCTL = (
    "etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt"
    " --cert /etc/kubernetes/pki/etcd/healthcheck-client.crt"
    " --key /etc/kubernetes/pki/etcd/healthcheck-client.key"
)


class Apart:
    """A cluster whose etcd is on hosts of its own."""

    def __init__(self, cli: Cli, lab: Lab, folder: Path) -> None:
        self.cli, self.lab, self.folder = cli, lab, folder
        self.config = self.with_hosts("apart", (*CONTROL_PLANES, *MEMBERS, "w1"))
        self.applied: Done = self.cli.run("apply", "--config", self.config)

    def with_hosts(self, name: str, names: tuple[str, ...]) -> Path:
        documents = list(yaml.safe_load_all(self.lab.cluster_yaml.read_text()))
        spec = documents[-1]["spec"]
        spec["endpoint"] = {"loadBalancer": "node-local"}
        spec["hosts"] = [
            {"name": each, "role": self.node(each).role, "address": self.node(each).address} for each in names
        ]
        documents[1].pop("controlPlaneEndpoint", None)
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path

    def with_heartbeat(self, milliseconds: int) -> Path:
        """Write the config with a flag of etcd's own."""
        documents = list(yaml.safe_load_all(self.config.read_text()))
        flag = {"name": "heartbeat-interval", "value": str(milliseconds)}
        documents[1]["etcd"] = {"local": {"extraArgs": [flag]}}
        path = self.folder / f"heartbeat-{milliseconds}.yaml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path

    def node(self, name: str) -> Node:
        return self.lab.node(name)

    def run(self, name: str, script: str) -> str:
        return nodes.exec(self.node(name), ["sh", "-c", script]).stdout.strip()

    def kubectl(self, *words: str) -> str:
        command = ["kubectl", "--kubeconfig", ADMIN, *words]
        return nodes.exec(self.node("cp1"), command).stdout.strip()

    def members(self) -> dict[str, str]:
        """Return the members' names and whether each is a learner."""
        lines = self.run("e1", f"{ETCDCTL} member list").splitlines()
        return {fields[2]: fields[5] for fields in (line.split(", ") for line in lines)}

    def etcd(self, *words: str) -> Done:
        return self.cli.run("etcd", *words, "--config", self.config)


@pytest.fixture(scope="module")
def apart(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """cp1 and w1 of the session, and cp2, e1, e2 and e3, which have nothing on them at all."""
    fleet.bare()
    lab = nodes.up(LAB, (*CONTROL_PLANES, *MEMBERS, "w1"))
    folder = tmp_path_factory.mktemp("apart")
    made = Apart(cli, lab, folder)
    # The lab's own file stays the one that other tests know.
    nodes.up(LAB, NODES)
    yield made
    everybody = made.with_hosts("all", (*CONTROL_PLANES, *MEMBERS, "w1"))
    hosts = [word for node in lab.nodes for word in ("--host", node.name)]
    cli.run("reset", "--config", everybody, "--yes", "--keep-artifacts", *hosts)
    for name in MEMBERS:
        left = made.run(name, "ls -d /etc/kubernetes/pki/etcd/* /var/lib/etcd/* 2>/dev/null; true")
        assert left == "", f"reset leaves nothing of etcd on {name}"
    fleet.bare()


def test_one_apply_brings_all_up(apart):
    assert "is up: 2 control planes, 3 etcd members, 1 worker" in apart.applied.out
    assert apart.members() == dict.fromkeys(MEMBERS, "false")
    items = json.loads(apart.kubectl("get", "nodes", "-o", "json"))["items"]
    assert sorted(item["metadata"]["name"] for item in items) == ["cp1", "cp2", "w1"]


def test_control_planes_and_etcd_live_apart(apart):
    for name in CONTROL_PLANES:
        assert "etcd.yaml" not in apart.run(name, "ls /etc/kubernetes/manifests")
        assert apart.run(name, "ls /etc/kubernetes/pki/etcd") == "ca.crt", "the CA's key stays with etcd"
    for name in MEMBERS:
        assert apart.run(name, "ls /etc/kubernetes/manifests") == "etcd.yaml"
        assert apart.run(name, "ls /etc/kubernetes/pki") == "etcd", "no key of the cluster's is there"
        assert apart.run(name, "ss -Hltn 'sport = :10250'") == "", "its kubelet serves nobody"
    stored = apart.kubectl(
        "get",
        "configmap",
        "kubeadm-config",
        "-n",
        "kube-system",
        "-o",
        "jsonpath={.data.ClusterConfiguration}",
    )
    external = yaml.safe_load(stored)["etcd"]["external"]
    assert external["endpoints"] == [f"https://{apart.node(name).address}:2379" for name in MEMBERS]
    assert external["certFile"] == "/etc/kubernetes/pki/apiserver-etcd-client.crt"


def test_a_rerun_changes_nothing(apart):
    names = (*CONTROL_PLANES, *MEMBERS, "w1")
    before = {name: managed(apart.node(name)) for name in names}
    again = apart.cli.run("apply", "--config", apart.config, "--format", "json")
    assert again.report["changed"] == 0
    assert {name: managed(apart.node(name)) for name in names} == before


def test_verify_looks_at_etcds_hosts_too(apart, tmp_path):
    report = tmp_path / "verify.json"
    apart.cli.run("verify", "--config", apart.config, "--level", "cluster", "--json", report)
    assert '"e2"' in report.read_text()


def test_etcd_verbs_work_there(apart):
    status = apart.etcd("status", "-o", "json")
    items = json.loads(status.out)["items"]
    assert {item["name"]: item["health"] for item in items} == dict.fromkeys(MEMBERS, "healthy")
    assert all(name in apart.etcd("members").out for name in MEMBERS)
    assert "/registry/namespaces/kube-system" in apart.etcd("keys", "/registry/namespaces/").out
    value = json.loads(apart.etcd("get", "/registry/namespaces/default", "-o", "json").out)["items"][0][
        "value"
    ]
    assert base64.b64decode(value).startswith(b"k8s\0")
    assert all(f"{name}: " in apart.etcd("defrag", "--dry-run").out for name in MEMBERS)
    assert all(f"{name}: " in apart.etcd("defrag").out for name in MEMBERS)


def test_status_tells_of_members_and_certificates_and_takes_their_hosts_for_no_nodes(apart):
    done = apart.cli.run("status", "--config", apart.config)
    assert "3 of 3 nodes Ready, 3 of 3 etcd members well" in done.out
    assert "(exit" not in done.out
    told = json.loads(apart.cli.run("status", "--config", apart.config, "--format", "json").out)
    found = {host["name"]: host for host in told["hosts"]}
    assert sorted(found[name]["etcd"] for name in MEMBERS) == ["leader", "member", "member"]
    assert all(found[name]["days"] for name in (*MEMBERS, *CONTROL_PLANES))
    assert {found[name]["proxy_mode"] for name in (*CONTROL_PLANES, "w1")} == {"iptables"}


def test_certificates_are_listed_and_renewed(apart):
    listed = apart.cli.run("certs", "check-expiration", "--config", apart.config).out
    for name in ("etcd-server", "etcd-peer", "etcd-healthcheck-client", "apiserver-etcd-client"):
        assert name in listed
    serials = {
        name: apart.run(name, f"sha256sum /etc/kubernetes/pki/{file}")
        for name, file in (("e1", "etcd/server.crt"), ("cp1", "apiserver-etcd-client.crt"))
    }
    apart.cli.run("certs", "renew", "etcd-server", "--config", apart.config)
    apart.cli.run("certs", "renew", "apiserver-etcd-client", "--config", apart.config)
    assert apart.run("e1", "sha256sum /etc/kubernetes/pki/etcd/server.crt") != serials["e1"]
    assert apart.run("cp1", "sha256sum /etc/kubernetes/pki/apiserver-etcd-client.crt") != serials["cp1"]
    assert apart.kubectl("get", "--raw", "/readyz") == "ok"
    assert set(apart.members()) == set(MEMBERS)


def manifests(apart) -> dict[str, str]:
    return {name: apart.run(name, "sha256sum /etc/kubernetes/manifests/etcd.yaml") for name in MEMBERS}


def test_a_flag_goes_from_member_to_member(apart):
    before = manifests(apart)
    config = apart.with_heartbeat(150)
    done = apart.cli.run("apply", "--config", config, "--format", "json", within=600)
    assert turns(done, "etcd") == list(MEMBERS)
    for name in MEMBERS:
        assert "--heartbeat-interval=150" in apart.run(name, "ps -C etcd -o args=")
    assert apart.kubectl("get", "--raw", "/readyz") == "ok"
    apart.cli.run("apply", "--config", apart.config, within=600)
    assert manifests(apart) == before


def test_a_member_that_does_not_start_is_put_back_and_no_other_is_begun(apart):
    before = manifests(apart)
    done = apart.cli.run("apply", "--config", apart.with_heartbeat(900), code=1, within=600)
    assert "should be at least as 5 times as --heartbeat-interval" in done.text, "in its own words"
    assert "e1 is as before" in done.text
    assert manifests(apart) == before
    assert apart.members() == dict.fromkeys(MEMBERS, "false")
    assert apart.kubectl("get", "--raw", "/readyz") == "ok"
    assert apart.cli.run("apply", "--config", apart.config, "--format", "json").report["changed"] == 0


def test_a_member_leaves_and_another_comes(apart):
    gone = apart.cli.run("remove", "e3", "--config", apart.config, "--yes")
    assert "e3 removed" in gone.out
    assert set(apart.members()) == {"e1", "e2"}
    assert apart.run("e3", "ls -d /var/lib/etcd/member 2>/dev/null; true") == ""
    smaller = apart.with_hosts("smaller", (*CONTROL_PLANES, "e1", "e2", "w1"))
    apart.cli.run("apply", "--config", smaller)
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    e3 = apart.node("e3").address
    for name in CONTROL_PLANES:
        assert e3 not in apart.run(name, f"grep etcd-servers {manifest}")
    apart.cli.run("apply", "--config", apart.config)
    assert apart.members() == dict.fromkeys(MEMBERS, "false")
    for name in CONTROL_PLANES:
        assert e3 in apart.run(name, f"grep etcd-servers {manifest}")
    again = apart.cli.run("apply", "--config", apart.config, "--format", "json")
    assert again.report["changed"] == 0


def test_what_would_cost_the_quorum_is_refused(apart):
    nodes.exec(
        apart.node("e3"), ["sh", "-c", "systemctl stop kubelet; crictl stop $(crictl ps --name etcd -q)"]
    )
    try:
        refused = apart.cli.run("remove", "e2", "--config", apart.config, "--yes", code=1)
        assert "would cost etcd its quorum" in refused.text
        assert "e3" in refused.text
        assert len(apart.members()) == 3
    finally:
        nodes.exec(apart.node("e3"), ["systemctl", "start", "kubelet"])
