"""What apply would change, against live hosts: nothing after it, what was edited, what was done by hand."""

from __future__ import annotations

import json
import shutil
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
ROLL = {"replace kube-proxy's pods", "keep kube-proxy's rules until the new ones are there"}
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


@pytest.mark.long
@pytest.mark.cluster(workers=2)
class TestAdoption:
    """What was changed by hand goes into the file instead."""

    @pytest.fixture
    def copy(self, cluster: Cluster, tmp_path: Path) -> Path:
        path = tmp_path / "cluster.yaml"
        shutil.copy(cluster.config, path)
        return path

    def test_what_the_file_can_say_is_taken_into_it(self, cluster, cli, copy, plan):
        cli.run("apply", "--config", cluster.config)
        by_hand(cluster)
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
            "spec.dns.replicas": 3,
        }
        assert [each["subject"] for each in told["left"]] == [CRICTL]
        assert Path(told["backup"]).read_text() == before
        assert copy.read_text().startswith(before.splitlines()[0]), "comments are kept"
        # What was adopted is no change any more; what follows from the new config is.
        left = subjects(plan(copy))
        assert [subject for host, subject in left if host and left[host, subject]["sign"] == "!"] == [CRICTL]
        assert ("cp1", SCHEDULER) not in left
        cli.run("apply", "--config", copy)
        assert subjects(plan(copy)) == {}
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
        "",
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
    assert change["sign"] in "~*"
    assert key in change["because"]
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
