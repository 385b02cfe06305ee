"""The class of volumes that are no node's own: what was written on a node that dies is read on another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import nodes
from lab.process import run
from lab.topology import Node

from .cli import Cli
from .fleet import Cluster, Fleet
from .workloads import BUSYBOX, apply, claim, until, with_addons

pytestmark = pytest.mark.long

PACKAGES = ("glusterfs-server", "glusterfs-client")
MOUNT = "/var/lib/shared-volumes"
BRICK = "/var/lib/glusterfs-bricks/shared"
MINUTE = 60.0
CLAIM = claim("data", "shared", "64Mi", "ReadWriteMany")
# Content that nobody could have made up, and what it must be when it is read again.
WRITE = "head -c 3000000 /dev/urandom >/data/$1 && sync && sha256sum /data/$1 | cut -d' ' -f1"


def pod(name: str, node: Node) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": node.name,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "user",
                    "image": BUSYBOX,
                    "command": ["sleep", "86400"],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli) -> Iterator[Cluster]:
    fleet.bare()
    for node in fleet.lab.nodes:
        nodes.fresh(node, PACKAGES)
    hosts = [fleet.node(name).address for name in ("w1", "w2")]
    addon = {"name": "glusterfs", "parameters": {"hosts": hosts}}
    yield with_addons(fleet, cli, "shared", [addon], hosts=("cp1", "w1", "w2"))
    for node in fleet.lab.nodes:
        nodes.fresh(node)
    fleet.bare()


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """File -> digest of what was written into it, from test to test."""
    return {}


def run_pod(cluster: Cluster, name: str, node: Node) -> None:
    apply(cluster, pod(name, node))
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s", timeout=150)


def in_pod(cluster: Cluster, name: str, script: str, *arguments: str) -> str:
    return cluster.kubectl("exec", name, "--", "sh", "-euc", script, "sh", *arguments).strip()


def digest(cluster: Cluster, name: str, file: str) -> str:
    return in_pod(cluster, name, "sha256sum /data/$1 | cut -d' ' -f1", file)


@pytest.mark.runs_addon("glusterfs")
def test_a_claim_is_served_and_two_nodes_see_the_same_bytes(cluster, written):
    first, second = cluster.workers
    apply(cluster, CLAIM)
    run_pod(cluster, "on-first", first)
    run_pod(cluster, "on-second", second)
    written["one"] = in_pod(cluster, "on-first", WRITE, "one")
    assert digest(cluster, "on-second", "one") == written["one"]
    cluster.kubectl("delete", "pod", "on-second", "--now")


def test_where_the_volume_is_not_mounted_nothing_is_written(cluster):
    for node in cluster.workers:
        # In a namespace of its own: the node's other users keep the mount.
        script = f"umount {MOUNT} && mkdir {MOUNT}/instead"
        done = nodes.exec(node, ["unshare", "--mount", "sh", "-c", script], check=False)
        assert done.returncode != 0
        assert "Operation not permitted" in done.stderr


def test_a_second_apply_changes_nothing(cluster, cli):
    assert "nothing changed" in cli.run("apply", "--config", cluster.config).out


def test_when_a_host_dies_a_pod_elsewhere_reads_the_same_bytes_and_writes_on(cluster, written):
    first, second = cluster.workers
    run(["docker", "kill", first.container])
    run_pod(cluster, "survivor", second)
    assert digest(cluster, "survivor", "one") == written["one"]
    written["two"] = in_pod(cluster, "survivor", WRITE, "two")
    written["one"] = in_pod(cluster, "survivor", WRITE, "one")
    assert digest(cluster, "survivor", "two") == written["two"]


def test_the_host_comes_back_and_catches_up(cluster, written):
    first, _ = cluster.workers
    run(["docker", "start", first.container])
    volume = cluster.kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")

    def its_copy() -> dict[str, str]:
        script = f"cd {BRICK}/{volume}_* && sha256sum one two"
        lines = nodes.exec(first, ["sh", "-c", script], check=False).stdout.splitlines()
        return {line.split()[1]: line.split()[0] for line in lines}

    until(its_copy, lambda seen: seen == written, 5 * MINUTE, "its own copy has what was written meanwhile")

    def healed() -> tuple[int, int]:
        said = nodes.exec(first, ["gluster", "volume", "heal", "shared", "info", "summary"]).stdout
        return said.count("Status: Connected"), said.count("Total Number of entries: 0")

    until(healed, lambda seen: seen == (2, 2), MINUTE, "both copies are there, and nothing is left to heal")
    cluster.kubectl("wait", "--for=condition=Ready", "node/w1", "--timeout=180s", timeout=200)
    cluster.kubectl("delete", "pod", "on-first", "--now", "--ignore-not-found", timeout=180)
    run_pod(cluster, "again-on-first", first)
    assert {name: digest(cluster, "again-on-first", name) for name in written} == written


def test_what_is_given_back_is_gone_from_all_hosts(cluster):
    cluster.kubectl("delete", "pod", "survivor", "again-on-first", "--now")
    cluster.kubectl("delete", "pvc", "data", timeout=180)

    def left() -> str:
        listed = (nodes.exec(node, ["sh", "-c", f"ls {BRICK}"]).stdout for node in cluster.workers)
        return "".join(listed)

    until(left, lambda seen: seen == "", 2 * MINUTE, "no copy is left")
