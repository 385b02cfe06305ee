"""Control planes that come and go: one to three etcd members and back, dead ones, runs that were cut off."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab
from lab.process import LabError
from lab.topology import Node

from .cli import Cli
from .fleet import ADMIN, Fleet

pytestmark = pytest.mark.long

NAMES = ("cp1", "cp2", "cp3")
NOT_READY_SECONDS = 150
"""A node that says nothing is taken for dead after 50 s."""


@pytest.fixture(scope="module")
def lab(fleet: Fleet) -> Iterator[Lab]:
    """Three control planes whose endpoint outlives each of them; the tests follow one another on it."""
    with fleet.grown(*NAMES) as lab:
        documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
        for document in documents:
            if document["kind"] == "ClusterConfiguration":
                del document["controlPlaneEndpoint"]
            if document["kind"] == "Cluster":
                document["spec"]["endpoint"] = {"loadBalancer": "node-local"}
        config = lab.cluster_yaml.with_name("node-local.yaml")
        config.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        yield replace(lab, cluster_yaml=config)


@pytest.fixture
def config(lab: Lab) -> tuple[str, str]:
    return "--config", str(lab.cluster_yaml)


def kubectl(witness: Node, *words: str, stdin: str = "") -> str:
    server = ("--server", f"https://{witness.address}:6443", "--request-timeout", "10s")
    return nodes.exec(witness, ["kubectl", "--kubeconfig", ADMIN, *server, *words], stdin=stdin).stdout


def members(cli: Cli, config: tuple[str, str]) -> dict[str, bool]:
    """Return the members by name, and whether each has a vote and answers."""
    document = json.loads(cli.run("etcd", "status", *config, "-o", "json", code=None).out)
    return {each["name"]: each["vote"] and each["health"] == "healthy" for each in document["items"]}


def ready(witness: Node) -> dict[str, bool]:
    items = json.loads(kubectl(witness, "get", "nodes", "-o", "json"))["items"]
    return {
        item["metadata"]["name"]: any(
            each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
        )
        for item in items
    }


def until_ready(witness: Node, wanted: dict[str, bool]) -> None:
    """Wait until exactly these nodes are there, Ready or not."""
    ends, found = time.monotonic() + NOT_READY_SECONDS, {}
    while found != wanted:
        assert time.monotonic() < ends, f"the nodes are {found}, not {wanted}"
        try:
            found = ready(witness)
        except LabError:
            found = {}
        time.sleep(1)


def kill(node: Node) -> None:
    subprocess.run(["docker", "kill", node.container], check=True, capture_output=True)


def hosts(*names: str) -> list[str]:
    return [word for name in names for word in ("--host", name)]


def everything(node: Node) -> dict[str, list[str]]:
    """Return what an operator would miss: files of the cluster and containers, with their times."""
    script = "find /etc/kubernetes /var/lib/kubeadm-py -type f -printf '%T@ %p\\n'; crictl ps -q"
    return {"lines": sorted(nodes.exec(node, ["sh", "-c", script]).stdout.splitlines())}


def test_two_join_one_at_once(lab, cli, config):
    cli.run("init", *config)
    assert members(cli, config) == {"cp1": True}
    kubectl(lab.node("cp1"), "create", "configmap", "kept", "--from-literal", "since=the-first")
    joined = cli.run("join", *config, *hosts("cp2", "cp3"))
    assert "cp2, cp3 joined" in joined.out
    assert members(cli, config) == dict.fromkeys(NAMES, True)
    until_ready(lab.node("cp3"), dict.fromkeys(NAMES, True))
    cli.run("verify", *config, "--level", "cluster", "--read-only")


def test_three_become_one_and_three_again(lab, cli, config):
    gone = cli.run("remove", "cp3", "cp2", *config, "--yes", "--keep-artifacts")
    assert "cp3, cp2 removed" in gone.out
    assert members(cli, config) == {"cp1": True}
    assert ready(lab.node("cp1")) == {"cp1": True}
    for name in ("cp2", "cp3"):
        left = nodes.exec(
            lab.node(name), ["sh", "-c", "ls -A /etc/kubernetes /var/lib/etcd 2>/dev/null"], check=False
        )
        assert left.stdout.split() in ([], ["/etc/kubernetes:", "/var/lib/etcd:"])
    cli.run("join", *config, *hosts("cp2", "cp3"))
    assert members(cli, config) == dict.fromkeys(NAMES, True)
    found = kubectl(lab.node("cp3"), "get", "configmap", "kept", "-o", "jsonpath={.data.since}")
    assert found == "the-first"
    cli.run("verify", *config, "--level", "cluster", "--read-only")


def test_beside_a_killed_one_the_quorum_is_guarded(lab, cli, config, tmp_path):
    kill(lab.node("cp3"))
    until_ready(lab.node("cp1"), {"cp1": True, "cp2": True, "cp3": False})
    before = {name: everything(lab.node(name)) for name in ("cp1", "cp2")}
    refused = cli.run("remove", "cp2", *config, "--yes", code=1)
    assert "would cost etcd its quorum" in refused.text
    assert "cp3" in refused.text, "it says what to mend first"
    assert {name: everything(lab.node(name)) for name in ("cp1", "cp2")} == before
    cli.run("remove", "cp3", *config, "--yes")
    assert members(cli, config) == {"cp1": True, "cp2": True}
    assert ready(lab.node("cp1")) == {"cp1": True, "cp2": True}
    nodes.fresh(lab.node("cp3"))
    cli.run("join", *config, *hosts("cp3"))
    assert members(cli, config) == dict.fromkeys(NAMES, True)


def test_a_dead_first_one_is_removed_and_replaced(lab, cli, config):
    witness = lab.node("cp2")
    kill(lab.node("cp1"))
    until_ready(witness, {"cp1": False, "cp2": True, "cp3": True})
    gone = cli.run("remove", "cp1", *config, "--yes")
    assert "could not be reached" in gone.text
    assert ready(witness) == {"cp2": True, "cp3": True}
    nodes.fresh(lab.node("cp1"))
    cli.run("join", *config, *hosts("cp1"))
    assert members(cli, config) == dict.fromkeys(NAMES, True)
    until_ready(witness, dict.fromkeys(NAMES, True))
    found = kubectl(lab.node("cp1"), "get", "configmap", "kept", "-o", "jsonpath={.data.since}")
    assert found == "the-first"
    cli.run("verify", *config, "--level", "cluster", "--read-only")


@pytest.mark.parametrize(
    "point",
    [
        {"type": "host-started", "stage": "drain"},
        {"type": "action-done", "title": "remove etcd member cp3"},
        {"type": "host-started", "stage": "reset"},
        {"type": "host-started", "stage": "forget"},
    ],
    ids=lambda point: point.get("stage", "leave"),
)
def test_a_removal_that_is_cut_off_is_done_by_the_next(lab, cli, config, point):
    run = cli.start("remove", "cp3", *config, "--yes", "--keep-artifacts")
    run.until(**point)
    run.signal(signal.SIGKILL)
    run.end()
    cli.run("remove", "cp3", *config, "--yes", "--keep-artifacts")
    assert members(cli, config) == {"cp1": True, "cp2": True}
    until_ready(lab.node("cp1"), {"cp1": True, "cp2": True})
    cli.run("join", *config, *hosts("cp3"))
    assert members(cli, config) == dict.fromkeys(NAMES, True)
    until_ready(lab.node("cp1"), dict.fromkeys(NAMES, True))
