"""Volumes of nodes that a config names one by one: a pod goes where they are and finds what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab import nodes

from .cli import Cli
from .fleet import Cluster, Documents, Fleet
from .workloads import BUSYBOX, apply, claim, until

pytestmark = pytest.mark.long

LOCAL, MADE = "/srv/static-local", "/srv/static-made"
VOLUMES = [
    {"name": "local-w1", "node": "w1", "path": LOCAL, "size": "1Gi"},
    {"name": "made-w1", "node": "w1", "path": MADE, "size": "1Gi", "kind": "hostPath", "claimName": "kept"},
]
WITHIN = 180.0


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli) -> Iterator[Cluster]:
    cluster = fleet.cluster(workers=1)
    [worker] = cluster.workers

    def edit(kinds: Documents) -> None:
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in ("cp1", "w1")]
        spec["addons"] = [
            *spec["addons"],
            {"name": "local-volumes", "parameters": {"className": "static", "volumes": VOLUMES}},
        ]

    config = fleet.variant("static-volumes", edit)
    nodes.exec(worker, ["mkdir", "-p", LOCAL])
    cli.run("addon", "install", "local-volumes", "--config", config)
    yield cluster
    for kind in ("pod", "pvc"):
        cluster.kubectl("delete", kind, "--all", "-n", "default")
    cli.run("addon", "remove", "local-volumes", "--config", config, "--yes", "--purge")
    nodes.exec(worker, ["rm", "-rf", LOCAL, MADE])


def pod(name: str, script: str) -> dict[str, Any]:
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in ("free", "kept")]
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in ("free", "kept")]
    container = {"name": "it", "image": BUSYBOX, "command": ["sh", "-c", script], "volumeMounts": mounts}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], "volumes": volumes, "restartPolicy": "Never"},
    }


def ended(cluster: Cluster, name: str) -> str:
    """Wait until a pod has done its work, and return what it said."""
    asked = ("get", "pod", name, "-n", "default", "-o", "jsonpath={.status.phase}")
    until(lambda: cluster.kubectl(*asked), lambda phase: phase == "Succeeded", WITHIN, f"pod {name}")
    return cluster.kubectl("logs", name, "-n", "default")


@pytest.mark.runs_addon("local-volumes")
def test_what_a_pod_writes_lies_in_the_directories_of_its_node(cluster):
    [worker] = cluster.workers
    apply(
        cluster,
        claim("free", "static"),
        claim("kept", "static"),
        pod("writer", "echo one >/free/a && echo two >/kept/b"),
    )
    ended(cluster, "writer")
    assert nodes.exec(worker, ["cat", f"{LOCAL}/a", f"{MADE}/b"]).stdout.split() == ["one", "two"]
    bound = cluster.kubectl("get", "pvc", "-o", "jsonpath={range .items[*]}{.spec.volumeName} {end}").split()
    assert bound == ["local-w1", "made-w1"]


def test_the_next_pod_reads_it_and_runs_on_the_same_node(cluster):
    apply(cluster, pod("reader", "cat /free/a /kept/b"))
    assert ended(cluster, "reader").split() == ["one", "two"]
    where = cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert where == ["w1", "w1"]
