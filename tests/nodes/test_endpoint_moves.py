"""A cluster without an endpoint grows to three control planes behind one, which becomes another and another.

Only the file is edited. Clients ask all the time, at the old address and, where that fails, at the new one.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes, topology
from lab.nodes import Lab

from . import balancer
from .asking import SILENT_SECONDS, Client, failed_twice, kubelet_server, longest_silence, shell
from .cli import Cli, Done
from .conftest import LAB
from .conftest import NODES as USUAL
from .fleet import ADMIN, Fleet

pytestmark = pytest.mark.long

CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2")
VIP, ANOTHER_VIP = topology.address(LAB, 100), topology.address(LAB, 101)
REPLACED = ("kube-proxy-", "kube-flannel-")
"""The pods that find the API by the endpoint: those of DaemonSets, replaced node by node."""
OURS = ("haproxy-", "keepalived-")
_WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy, namespace: default}
spec:
  replicas: 4
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      containers: [{name: busy, image: IMAGE}]
"""


class World:
    """The nodes, the file that is edited, and what is seen of both."""

    def __init__(self, lab: Lab, cli: Cli, folder: Path) -> None:
        self.lab, self.cli, self.folder = lab, cli, folder

    def config(self, name: str, hosts: tuple[str, ...], endpoint: dict[str, Any] | str | None) -> Path:
        """Write the lab's file for these hosts and this endpoint; text is an external one."""
        documents = list(yaml.safe_load_all(self.lab.cluster_yaml.read_text()))
        by_kind = {document["kind"]: document for document in documents}
        spec = by_kind["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in hosts]
        by_kind["ClusterConfiguration"].pop("controlPlaneEndpoint", None)
        if isinstance(endpoint, str):
            by_kind["ClusterConfiguration"]["controlPlaneEndpoint"] = endpoint
        elif endpoint:
            spec["endpoint"] = endpoint
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        cp1 = self.lab.node("cp1")
        command = ["kubectl", "--kubeconfig", ADMIN, "--server", f"https://{cp1.address}:6443", *words]
        return nodes.exec(cp1, command, stdin=stdin).stdout

    def containers(self) -> dict[str, tuple[str, ...]]:
        """Return pod -> its containers as they run: id and start."""
        found = {}
        for pod in json.loads(self.kubectl("get", "pods", "-A", "-o", "json"))["items"]:
            found[f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"] = tuple(
                f"{each['containerID']} {each['state']['running']['startedAt']}"
                for each in pod["status"].get("containerStatuses", ())
                if "running" in each["state"]
            )
        return found

    def ready(self) -> set[str]:
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {
            item["metadata"]["name"]
            for item in items
            if any(
                each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
            )
        }

    def move(self, config: Path, old: str, new: str, *flags: str, gone: str = "-") -> Done:
        """Apply an edited file while a client on each worker asks; what it was silent for is printed.

        `gone` is a host that leaves, with the pods on it.
        """
        before = self.containers()
        clients = [
            Client(self.lab.node(name), path, old, new)
            for name in WORKERS
            for path in ("/version", f"/api/v1/nodes/{name}")
        ]
        time.sleep(2)
        began = time.time()
        try:
            done = self.cli.run("apply", "--config", config, *flags, within=900)
        finally:
            ended = time.time()
            time.sleep(3)
            requests = {client.about: client.stop() for client in clients}
        silent = {about: longest_silence(found, began - 1) for about, found in requests.items()}
        figures = ", ".join(
            f"{about.partition(' at ')[0]} {each.seconds:.2f} s (at {each.since - began:.0f} s)"
            for about, each in silent.items()
        )
        sys.stdout.write(f"{old} -> {new} in {ended - began:.0f} s; silent at most: {figures}\n")
        self.same({pod: each for pod, each in before.items() if not pod.endswith(f"-{gone}")})
        for about, found in requests.items():
            # Those count as well for which etcd has to answer, whose members come and go.
            assert silent[about].seconds <= SILENT_SECONDS, f"{about}: {silent[about].seconds:.1f} s"
            if about.startswith("/version"):
                assert not failed_twice(found, began, ended), about
        return done

    def same(self, before: dict[str, tuple[str, ...]]) -> None:
        """Compare with what ran before: no container of a pod that need not move has been started anew."""
        after = self.containers()
        for pod, containers in before.items():
            name = pod.partition("/")[2]
            if not name.startswith((*REPLACED, *OURS)):
                assert after.get(pod) == containers, f"{pod} was started anew"

    def users(self, server: str) -> None:
        """Look that everything on hosts and in the cluster names this server."""
        for node in self.lab.nodes:
            own = f"https://{node.address}:6443"
            assert kubelet_server(node) == (own if node.role == "control-plane" else server)
            if node.role == "control-plane":
                assert server in shell(node, f"grep server: {ADMIN}")
                for name in ("controller-manager", "scheduler"):
                    assert own in shell(node, f"grep server: /etc/kubernetes/{name}.conf")
        where = ("get", "configmap", "-o", "yaml")
        assert f"server: {server}" in self.kubectl(*where, "-n", "kube-system", "kube-proxy")
        assert f"server: {server}" in self.kubectl(*where, "-n", "kube-public", "cluster-info")
        place = server.removeprefix("https://")
        assert f"controlPlaneEndpoint: {place}" in self.kubectl(*where, "-n", "kube-system", "kubeadm-config")
        pods = json.loads(
            self.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "-o", "json")
        )
        assert len(pods["items"]) == len(self.lab.nodes)

    def after(self, config: Path, server: str) -> None:
        self.users(server)
        assert self.ready() == {node.name for node in self.lab.nodes}
        again = self.cli.run("apply", "--config", config, "--format", "json")
        assert again.report["changed"] == 0, again
        assert "checks passed" in self.cli.run("verify", "--config", config, "--level", "cluster").out


@pytest.fixture(scope="module")
def world(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    fleet.bare()
    lab = nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    made = World(lab, cli, tmp_path_factory.mktemp("moves"))
    fleet_config = made.config("reset", (*CONTROL_PLANES, *WORKERS), f"{lab.node('cp1').address}:6443")
    cli.run("reset", "--config", fleet_config, "--yes", "--keep-artifacts")
    yield made
    cli.run("reset", "--config", fleet_config, "--yes", "--keep-artifacts")
    nodes.up(LAB, USUAL)


@pytest.fixture(scope="module")
def small(world: World) -> World:
    """One control plane and two workers, without any endpoint, and a workload on them."""
    config = world.config("small", ("cp1", *WORKERS), None)
    world.cli.run("apply", "--config", config)
    pause = shell(world.lab.node("w1"), "ctr -n k8s.io images ls -q | grep /pause: | head -n 1").strip()
    world.kubectl("apply", "-f", "-", stdin=_WORKLOAD.replace("IMAGE", pause))
    world.kubectl("rollout", "status", "deployment/busy", "--timeout=60s")
    return world


EVERYBODY = (*CONTROL_PLANES, *WORKERS)
LOCAL_SERVER = "https://api.lab-test.internal:6443"
LOCAL = {"loadBalancer": "node-local"}


def test_one_control_plane_without_an_endpoint_becomes_three_behind_balancers(small: World) -> None:
    before = small.config("small", ("cp1", *WORKERS), None)
    kept = small.cli.run("kubeconfig", "get", "--config", before, "--path").out.strip()
    config = small.config("node-local", EVERYBODY, LOCAL)
    old = f"https://{small.lab.node('cp1').address}:6443"
    done = small.move(config, old, LOCAL_SERVER)
    assert "cp2, cp3 joined" in done.out
    assert "tls-server-name: api.lab-test.internal" in Path(kept).read_text()
    small.after(config, LOCAL_SERVER)


def behind(small: World, worker: str) -> set[str]:
    """Return the control planes that a worker's balancer spreads requests over."""
    config = shell(small.lab.node(worker), "cat /etc/kubernetes/haproxy/haproxy.cfg")
    return {name for name in CONTROL_PLANES if f"{small.lab.node(name).address}:6443" in config}


def test_balancers_follow_control_planes_that_go_and_come(small: World) -> None:
    fewer = small.config("fewer", tuple(name for name in EVERYBODY if name != "cp3"), LOCAL)
    done = small.move(fewer, LOCAL_SERVER, LOCAL_SERVER, "--prune", "--yes", gone="cp3")
    assert "removed: cp3" in done.out
    assert [behind(small, worker) for worker in WORKERS] == [{"cp1", "cp2"}] * len(WORKERS)
    assert small.ready() == {*EVERYBODY} - {"cp3"}
    config = small.config("again", EVERYBODY, LOCAL)
    # The cluster lists pods of a Node that is gone for up to a minute more.
    done = small.move(config, LOCAL_SERVER, LOCAL_SERVER, gone="cp3")
    assert "cp3 joined" in done.out
    assert [behind(small, worker) for worker in WORKERS] == [{*CONTROL_PLANES}] * len(WORKERS)
    small.after(config, LOCAL_SERVER)


def test_balancers_on_the_nodes_become_an_address_that_moves(small: World) -> None:
    config = small.config("vip", EVERYBODY, {"loadBalancer": "vip", "vip": VIP})
    server = f"https://{VIP}:6443"
    small.move(config, LOCAL_SERVER, server)
    small.after(config, server)
    for node in small.lab.nodes:
        assert "kubeadm-py" not in shell(node, "cat /etc/hosts")
        assert "haproxy" not in shell(node, "ls /etc/kubernetes/manifests")


def test_the_address_gets_a_balancer_behind_it_and_another_port(small: World) -> None:
    for port in (8443, 9443):
        config = small.config(f"vip-{port}", EVERYBODY, {"loadBalancer": "vip", "vip": VIP, "port": port})
        old = kubelet_server(small.lab.node("w1"))
        small.move(config, old, f"https://{VIP}:{port}")
        small.after(config, f"https://{VIP}:{port}")


CUTS = (
    {"type": "stage-started", "stage": "endpoint"},
    {"type": "action-done", "stage": "endpoint-users", "host": "w1", "title": "kubelet.conf"},
    {"type": "action-done", "stage": "endpoint-objects", "title": "replace kube-proxy's pods"},
    {"type": "stage-started", "stage": "endpoint-old"},
)


def test_the_address_becomes_another_although_the_tool_is_killed_again_and_again(small: World) -> None:
    config = small.config("vip-101", EVERYBODY, {"loadBalancer": "vip", "vip": ANOTHER_VIP, "port": 9443})
    old, server = kubelet_server(small.lab.node("w1")), f"https://{ANOTHER_VIP}:9443"
    for cut in CUTS:
        running = small.cli.start("apply", "--config", config)
        running.until(**cut)
        running.signal(signal.SIGKILL)
        assert running.end().code == -signal.SIGKILL
    small.move(config, old, server)
    small.after(config, server)
    for node in small.lab.nodes:
        assert f" {VIP}/" not in shell(node, "ip -oneline address show")


def test_an_external_balancer_is_used_only_once_it_answers(small: World) -> None:
    w2 = small.lab.node("w2")
    config = small.config("external", EVERYBODY, balancer.endpoint(w2))
    refused = small.cli.run("apply", "--config", config, code=3)
    assert "EndpointBalancer" in refused.text
    old, server = kubelet_server(small.lab.node("w1")), f"https://{balancer.endpoint(w2)}"
    balancer.start(w2, [small.lab.node(name) for name in CONTROL_PLANES])
    small.move(config, old, server)
    small.after(config, server)
    # And back to what needs nothing of others.
    config = small.config("back", EVERYBODY, LOCAL)
    small.move(config, server, LOCAL_SERVER)
    small.after(config, LOCAL_SERVER)
    balancer.stop(w2)
