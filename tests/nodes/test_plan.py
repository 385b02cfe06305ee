"""What apply would change, against live hosts: nothing after it, what was edited, what was done by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes

from .cli import Cli, Done
from .fleet import Cluster, Fleet
from .test_journey import managed

KUBE_PROXY = "ConfigMap kube-system/kube-proxy"
ROLL = {
    "note that kube-proxy is replaced",
    "keep kube-proxy's rules until the new ones are there",
    "replace kube-proxy's pods",
    "start kube-proxy anew should it be older than its configuration",
}
"""What follows from another ConfigMap."""
CRICTL = "/etc/crictl.yaml"
SCHEDULER = "/etc/kubernetes/manifests/kube-scheduler.yaml"
Plan = Callable[..., dict[str, Any]]


@pytest.fixture
def plan(cli: Cli) -> Plan:
    """Return a function that plans, checks the exit code, and returns the plan's JSON."""

    def run(config: Path) -> dict[str, Any]:
        trial = cli.run("plan", "--config", config, "--format", "json", code=None)
        [told] = [event for event in trial.events if event["type"] == "plan"]
        wanted = 4 if subjects(told) else 0
        assert trial.code == trial.report["exit_code"] == wanted, trial
        return told

    return run


def changes(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for host in told["hosts"]:
        yield from ((host["host"], change) for change in host["changes"] if not change["own"])
    yield from (("", change) for change in told["objects"])


def subjects(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the changes by host (none: the cluster's) and subject."""
    return {(host, change["subject"]): change for host, change in changes(told)}


def by_hand(cluster: Cluster) -> None:
    """Change a file on a worker and an object, as people do."""
    nodes.exec(cluster.workers[0], ["sh", "-c", f"echo '# mine' >>{CRICTL}"])
    found = json.loads(cluster.kubectl("get", "configmap", "kube-proxy", "-n", "kube-system", "-o", "json"))
    config = yaml.safe_load(found["data"]["config.conf"])
    found["data"]["config.conf"] = yaml.safe_dump({**config, "mode": "nftables"})
    cluster.kubectl("replace", "-f", "-", stdin=json.dumps(found))


@pytest.mark.cluster(workers=2)
def test_what_is_changed_by_hand_is_found_and_put_back(cluster, cli, plan):
    cli.run("apply", "--config", cluster.config)
    assert subjects(plan(cluster.config)) == {}
    before = {node.name: managed(node) for node in cluster.nodes}
    assert subjects(plan(cluster.config)) == {}
    assert {node.name: managed(node) for node in cluster.nodes} == before, "a plan touches nothing"
    by_hand(cluster)
    found = subjects(plan(cluster.config))
    file = found.pop(("w1", CRICTL))
    proxy = found.pop(("", KUBE_PROXY))
    assert [file["sign"], proxy["sign"]] == ["!", "!"]
    assert file["because"].startswith("changed by hand since ")
    assert "-# mine" in file["diff"]
    assert "by kubectl-replace since " in proxy["because"]
    assert "-    mode: nftables" in proxy["diff"]
    assert {subject for _, subject in found} == ROLL
    text = cli.run("plan", "--config", cluster.config, code=4).out
    assert f"! {CRICTL}" in text
    assert f"! {KUBE_PROXY}" in text
    cli.run("apply", "--config", cluster.config)
    assert subjects(plan(cluster.config)) == {}


KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
MERGE = f"{KUBECTL} patch --type merge -p"
BY_HAND: dict[str, tuple[str, str, tuple[str, str], str]] = {
    "another mode": ("w1", f"chmod 0600 {CRICTL}", ("w1", CRICTL), "its mode was changed by hand"),
    "a key that all may read": (
        "cp1",
        "chmod 0644 /etc/kubernetes/pki/sa.key",
        ("cp1", "modes and owners of credentials"),
        "changed by hand",
    ),
    "a file that is gone": (
        "w2",
        "rm /etc/sysctl.d/99-kubernetes.conf",
        ("w2", "/etc/sysctl.d/99-kubernetes.conf"),
        "removed by hand",
    ),
    "a setting of the kernel": (
        "w1",
        "sysctl -qw net.ipv4.ip_forward=0",
        ("w1", "set net.ipv4.ip_forward"),
        "not what /etc/sysctl.d/99-kubernetes.conf says",
    ),
    "a unit": ("w2", "systemctl disable -q kubelet", ("w2", "kubelet.service enabled"), "disabled by hand"),
    "a static pod": (
        "cp1",
        f"sed -i 's/--leader-elect=true/--leader-elect=false/' {SCHEDULER}",
        ("cp1", SCHEDULER),
        "changed by hand since ",
    ),
    "the kubelet": (
        "w1",
        "echo 'maxPods: 41' >>/var/lib/kubelet/config.yaml",
        ("w1", "/var/lib/kubelet/config.yaml"),
        "changed by hand since ",
    ),
    "a label": (
        "cp1",
        f"{KUBECTL} label node cp1 node.kubernetes.io/exclude-from-external-load-balancers-",
        ("", "labels and taints of cp1"),
        "changed by hand",
    ),
    "an object that is gone": (
        "cp1",
        f"{KUBECTL} delete clusterrolebinding kubeadm:get-nodes",
        ("", "ClusterRoleBinding kubeadm:get-nodes"),
        "deleted by hand",
    ),
    "the cluster's own copy of the kubelet's configuration": (
        "cp1",
        f"""{MERGE} '{{"data": {{"kubelet": "maxPods: 33"}}}}' -n kube-system configmap/kubelet-config""",
        ("", "ConfigMap kube-system/kubelet-config"),
        "by kubectl-patch since ",
    ),
    "an add-on": (
        "cp1",
        f"""{MERGE} '{{"data": {{"cni-conf.json": "{{}}"}}}}' -n kube-flannel configmap/kube-flannel-cfg""",
        ("", "ConfigMap kube-flannel/kube-flannel-cfg"),
        "by kubectl-patch since ",
    ),
}
"""Name -> host, what is typed there, what the plan calls it, and why it says that it changes."""


@pytest.mark.long
@pytest.mark.cluster(workers=2)
def test_each_kind_of_drift_is_found_named_and_put_back(cluster, cli, plan):
    cli.run("apply", "--config", cluster.config)
    hosts = {node.name: node for node in cluster.nodes}
    for host, typed, _, _ in BY_HAND.values():
        nodes.exec(hosts[host], ["sh", "-euc", typed])
    found = subjects(plan(cluster.config))
    said = {
        name: (found[subject]["sign"], why in found[subject]["because"]) if subject in found else "not found"
        for name, (_, _, subject, why) in BY_HAND.items()
    }
    assert said == dict.fromkeys(BY_HAND, ("!", True)), found
    cli.run("apply", "--config", cluster.config)
    assert subjects(plan(cluster.config)) == {}
    assert nodes.exec(hosts["w1"], ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout.strip() == "1"
    assert nodes.exec(hosts["w2"], ["systemctl", "is-enabled", "kubelet"]).stdout.strip() == "enabled"


@pytest.mark.long
@pytest.mark.cluster(workers=2)
class TestAdoption:
    """What was changed by hand goes into the file instead."""

    @pytest.fixture
    def copy(self, cluster: Cluster, tmp_path: Path) -> Path:
        """The cluster's file, with a comment and with labels of w1."""
        path = tmp_path / "cluster.yaml"
        documents = list(yaml.safe_load_all(cluster.config.read_text()))
        documents[-1]["spec"]["hosts"][1]["labels"] = {"disk": "ssd", "rack": "r7"}
        path.write_text("# of the operator\n" + yaml.safe_dump_all(documents, sort_keys=False))
        return path

    def test_what_the_file_can_say_is_taken_into_it(self, cluster, cli, copy, plan):
        cli.run("apply", "--config", copy)
        by_hand(cluster)
        cluster.kubectl("label", "node", "w1", "--overwrite", "disk=nvme", "rack-")
        flag = "s/    - --leader-elect=true/&\\n    - --v=3/"
        nodes.exec(cluster.control_plane, ["sed", "-i", flag, SCHEDULER])
        for node in cluster.nodes:
            nodes.exec(node, ["sh", "-c", "echo 'maxPods: 60' >>/var/lib/kubelet/config.yaml"])
        cluster.kubectl("taint", "node", "cp1", "node-role.kubernetes.io/control-plane-")
        scale = ("scale", "deployment/coredns", "-n", "kube-system", "--replicas")
        cluster.kubectl(*scale, "3")
        before = copy.read_text()
        dry = cli.run("config", "adopt", "--config", copy, "--dry-run")
        assert copy.read_text() == before
        assert "nothing was written" in dry.out
        done: Done = cli.run("config", "adopt", "--config", copy, "--yes", "--format", "json")
        told = done.events[-1]
        assert {".".join(each["path"]): each["value"] for each in told["adopted"]} == {
            "scheduler.extraArgs.v": "3",
            "maxPods": 60,
            "mode": "nftables",
            "spec.hosts.cp1.taints": [],
            "spec.hosts.w1.labels.disk": "nvme",
            "spec.hosts.w1.labels.rack": None,
            "spec.dns.replicas": 3,
        }
        assert [each["subject"] for each in told["left"]] == [CRICTL]
        assert Path(told["backup"]).read_text() == before
        assert copy.read_text().startswith("# of the operator\n"), "comments are kept"
        # What was adopted is no change any more; what follows from the new config is.
        left = subjects(plan(copy))
        assert [subject for host, subject in left if host and left[host, subject]["sign"] == "!"] == [CRICTL]
        assert ("cp1", SCHEDULER) not in left
        cli.run("apply", "--config", copy)
        assert subjects(plan(copy)) == {}
        status = json.loads(cli.run("status", "--config", copy, "--format", "json", code=None).out)
        assert {host["proxy_mode"] for host in status["hosts"]} == {"nftables"}, "its pods have read it, too"
        assert status["old_pods"] == []
        # The number is the file's now, and a hand's is put back.
        cluster.kubectl(*scale, "1")
        assert subjects(plan(copy)).keys() == {("", "Deployment kube-system/coredns")}
        cli.run("apply", "--config", copy)
        replicas = ("get", "deployment/coredns", "-n", "kube-system", "-o", "jsonpath={.spec.replicas}")
        assert cluster.kubectl(*replicas) == "3"
        cluster.kubectl(*scale, "2")
        # The file of the other tests holds again.
        cli.run("apply", "--config", cluster.config)
        assert subjects(plan(cluster.config)) == {}


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, str], str]] = {
    "a flag": (
        lambda all_: all_["ClusterConfiguration"].update(
            scheduler={"extraArgs": [{"name": "v", "value": "3"}]}
        ),
        ("cp1", SCHEDULER),
        "scheduler.extraArgs.v",
    ),
    "a name of the API server": (
        lambda all_: all_["ClusterConfiguration"].update(apiServer={"certSANs": ["api.example"]}),
        ("cp1", "/etc/kubernetes/pki/apiserver.crt"),
        "apiServer.certSANs",
    ),
    "the kubelet": (
        lambda all_: all_["KubeletConfiguration"].update(maxPods=70),
        ("w1", "/var/lib/kubelet/config.yaml"),
        "KubeletConfiguration.maxPods",
    ),
    "kube-proxy": (
        lambda all_: all_["KubeProxyConfiguration"].update(metricsBindAddress="127.0.0.1:10249"),
        ("", KUBE_PROXY),
        "KubeProxyConfiguration.metricsBindAddress",
    ),
    "a label": (
        lambda all_: all_["Cluster"]["spec"]["hosts"][1].update(labels={"disk": "ssd"}),
        ("", "labels and taints of w1"),
        "spec.hosts.w1 (",
    ),
    "a taint": (
        lambda all_: all_["Cluster"]["spec"]["hosts"][2].update(
            taints=[{"key": "only", "value": "batch", "effect": "NoSchedule"}]
        ),
        ("", "labels and taints of w2"),
        "spec.hosts.w2 (",
    ),
    "an add-on": (
        lambda all_: all_["Cluster"]["spec"].update(
            addons=[{"name": "flannel", "parameters": {"cpuRequest": "55m"}}, "local-path-storage"]
        ),
        ("", "DaemonSet kube-flannel/kube-flannel-ds"),
        "spec.addons.flannel (",
    ),
    "a file": (
        lambda all_: all_["Cluster"]["spec"]["hosts"][1].update(
            files=[{"path": "/etc/of-the-plan", "content": "mine"}]
        ),
        ("w1", "/etc/of-the-plan"),
        "+mine",
    ),
}


@pytest.mark.long
@pytest.mark.cluster(workers=2)
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_planned_with_its_key_and_applied(name, cluster, fleet, cli, plan):
    edit, subject, key = EDITS[name]
    cli.run("apply", "--config", cluster.config)
    config = fleet.variant(f"plan-{name.replace(' ', '-')}", edit)
    change = subjects(plan(config))[subject]
    assert change["sign"] in "+~*"
    assert key in json.dumps(change)
    cli.run("apply", "--config", config)
    assert subjects(plan(config)) == {}
    cli.run("apply", "--config", cluster.config)


@pytest.mark.long
def test_bare_hosts(fleet: Fleet, cli: Cli, plan: Plan) -> None:
    fleet.bare(artifacts=False)
    told = plan(fleet.config)
    assert [host["host"] for host in told["hosts"]] == ["cp1", "w1", "w2"]
    signs = {change["sign"] for _, change in changes(told)}
    assert "!" not in signs
    assert {"+", "*"} <= signs
    found = subjects(told)
    assert "kube-apiserver" in found["cp1", "/etc/kubernetes/manifests/kube-apiserver.yaml"]["diff"]
    text = cli.run("plan", "--config", fleet.config, code=4).out
    # Equal hosts stand together, and new files of a directory on one line.
    assert "\nw1, w2\n" in text
    assert "+ /etc/kubernetes/pki/" in text
