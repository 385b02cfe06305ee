"""Make a healthy cluster of fake hosts that answer the suite's scripts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import Call, FakeHost
from kubeadm_py.verify import expected


@pytest.fixture(scope="session")
def cluster() -> ResolvedCluster:
    return ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(
            Node("cp1", Role.CONTROL_PLANE, ("10.99.0.11",)),
            Node("w1", Role.WORKER, ("10.99.0.21",), labels={"disk": "ssd"}),
        ),
        networking=Networking(pod_subnet="10.244.0.0/16"),
        encryption_algorithm="ECDSA-P256",
        addons=(AddonRequest("flannel"), AddonRequest("local-path-storage")),
    )


@pytest.fixture(scope="session")
def authorities(cluster: ResolvedCluster) -> Iterator[Authorities]:
    with Authorities.from_fresh(cluster, now=datetime.now(UTC)) as made:
        yield made


@pytest.fixture(scope="session")
def pems(cluster: ResolvedCluster, authorities: Authorities) -> dict[str, dict[str, bytes]]:
    """Return what each host's certificate files hold: node -> path -> PEM."""
    listed: dict[str, dict[str, bytes]] = {}
    for node in cluster.nodes:
        found = {cluster.ca_cert_path: authorities.ca_pem()}
        for request in expected.certificates(cluster, node):
            issued = authorities.issue(request).public_pem
            found[expected.certificate_file(request)] = issued
        listed[node.name] = found
    return listed


@dataclass
class Lines:
    """Hold the lines of a survey by kind, so that a test changes one."""

    lines: list[str]

    def change(self, old: str, new: str) -> None:
        assert any(old in line for line in self.lines), old
        self.lines = [line.replace(old, new) for line in self.lines]

    def drop(self, text: str) -> None:
        assert any(text in line for line in self.lines), text
        self.lines = [line for line in self.lines if text not in line]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def healthy_survey(cluster: ResolvedCluster, node: Node, pems: dict[str, bytes]) -> Lines:
    lines = ["clock\t1795219200", "Last login: whatever\tsomething"]
    lines += [f"unit\t{name}\tactive\tenabled" for name in expected.units(node)]
    lines += [f"file\t{file.path}\t{file.mode:o}\t{file.owner}" for file in expected.files(cluster, node)]
    for port in expected.listening(cluster, node):
        lines.append(f"listen\t{'127.0.0.1' if port.loopback_only else '*'}:{port.port}")
    lines += [f"address\t{node.address}", "endpoint\t0\tok"]
    lines += ["listen\t[::1]:6010", "listen\tgarbage"]
    lines += [f"sysctl\t{name}\t{value}" for name, value in expected.sysctls(cluster).items()]
    lines += [f"pem\t{path}\t{base64.b64encode(pem).decode()}" for path, pem in pems.items()]
    if node.role is Role.CONTROL_PLANE:
        lines += [
            "etcd\twith-peer-certificate\t0\t/registry/pods/kube-system/x",
            "etcd\thealth\t0\thttps://10.99.0.11:2379 is healthy",
            "etcd\twithout-certificate\t1\tError: context deadline exceeded",
            "etcd\tforeign-certificate\t1\tError: context deadline exceeded",
        ]
    return Lines([*lines, "complete"])


def node_object(node: Node) -> dict[str, Any]:
    control_plane = node.role is Role.CONTROL_PLANE
    labels = {"kubernetes.io/hostname": node.name, **node.labels}
    spec: dict[str, Any] = {}
    if control_plane:
        labels |= {
            "node-role.kubernetes.io/control-plane": "",
            "node.kubernetes.io/exclude-from-external-load-balancers": "",
        }
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    return {
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": spec,
        "status": {
            "addresses": [{"type": "InternalIP", "address": node.address}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
        },
    }


def _pod(namespace: str, name: str) -> dict[str, Any]:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "status": status}


def _workload(kind: str, namespace: str, name: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 2},
        "status": {"numberReady": 2, "desiredNumberScheduled": 2, "readyReplicas": 2},
    }


ECHO_PODS = [
    {
        "kind": "Pod",
        "metadata": {"name": f"echo-{node}", "labels": {"role": "echo"}},
        "spec": {"nodeName": node},
        "status": {"podIP": f"10.244.{index}.5"},
    }
    for index, node in enumerate(("cp1", "w1"))
]
ECHO_SERVICES = [
    {"metadata": {"name": "echo"}, "spec": {"clusterIP": "10.96.0.50", "ports": []}},
    {
        "metadata": {"name": "echo-nodeport"},
        "spec": {"ports": [{"name": "http", "nodePort": 30080}, {"name": "udp", "nodePort": 30081}]},
    },
]


@dataclass
class FakeCluster:
    """Hold the hosts and what they will answer; a test changes one thing and runs the suite."""

    cluster: ResolvedCluster
    surveys: dict[str, Lines]
    nodes: dict[str, dict[str, Any]]
    system: list[dict[str, Any]]
    hosts: dict[str, FakeHost] = field(default_factory=dict)
    classes: list[dict[str, Any]] = field(default_factory=list)
    refuses_dial: Callable[[str], bool] = field(default=lambda url: False)
    """Whether a probe's URL stays without an answer."""
    anonymous_allowed: bool = False
    anonymous_says: bytes = b"Error from server (Forbidden): secrets is forbidden"
    volume_phase: str = "Bound"
    namespace_stays: bool = True
    failing: tuple[str, ...] = ()
    """Texts of scripts that end with exit code 1."""

    def host_for(self, node: Node) -> FakeHost:
        host = FakeHost(node.name)
        host.answer("# survey of the host", lambda call: _ok(self.surveys[node.name].text))
        if node.role is Role.CONTROL_PLANE:
            host.answer(lambda script: "k() { kubectl" in script, self._kubectl)
        self.hosts[node.name] = host
        return host

    def _kubectl(self, call: Call) -> Result:
        script = call.text
        if any(text in script for text in self.failing):
            return Result(1, b"", b"error: it fails on purpose")
        if "--as=system:anonymous" in script:
            return Result(0, b"", b"") if self.anonymous_allowed else Result(1, b"", self.anonymous_says)
        lists = {
            "k get nodes -o json": list(self.nodes.values()),
            "k get storageclasses -o json": self.classes,
            "k get namespaces -o json": self._namespaces(),
            "get pods -o json": ECHO_PODS,
            "get services -o json": ECHO_SERVICES,
        }
        for command, items in lists.items():
            if command in script:
                return _ok(json.dumps({"items": items}))
        if "get persistentvolumeclaim volume" in script:
            return _ok(json.dumps({"status": {"phase": self.volume_phase}}))
        namespaced = re.search(r"k -n (\S+) get pods,daemonsets", script)
        if namespaced:
            items = [item for item in self.system if item["metadata"]["namespace"] == namespaced.group(1)]
            return _ok(json.dumps({"items": items}))
        if "/dial?" in script:
            return _ok(self._dial(script))
        return _ok("")

    def _namespaces(self) -> list[dict[str, Any]]:
        made = {
            name
            for script in self.hosts["cp1"].scripts
            for name in re.findall(r"kubeadm-py-verify-\w+", script)
        }
        return [{"metadata": {"name": name}} for name in made if self.namespace_stays]

    def _dial(self, script: str) -> str:
        lines = []
        for url, number in re.findall(
            r"'(http://127[^']+)'[^%]*probe\\t(\d+)", script.replace("'\"'\"'", "'")
        ):
            if self.refuses_dial(url):
                lines.append(f'probe\t{number}\t{{"errors":["i/o timeout"]}}')
            else:
                lines.append(f'probe\t{number}\t{{"responses":["echo-cp1","echo-w1"]}}')
        return "\n".join(lines)


def _ok(text: str) -> Result:
    return Result(0, text.encode(), b"")


@pytest.fixture(scope="session")
def healthy(cluster: ResolvedCluster, pems: dict[str, dict[str, bytes]]) -> dict[str, Lines]:
    return {node.name: healthy_survey(cluster, node, pems[node.name]) for node in cluster.nodes}


@pytest.fixture
def fake(cluster: ResolvedCluster, healthy: dict[str, Lines]) -> FakeCluster:
    static = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    system = [_pod("kube-system", f"{name}-cp1") for name in static]
    system += [
        _workload("DaemonSet", "kube-system", "kube-proxy"),
        _workload("Deployment", "kube-system", "coredns"),
        _workload("DaemonSet", "kube-flannel", "kube-flannel-ds"),
        _workload("Deployment", "local-path-storage", "local-path-provisioner"),
    ]
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return FakeCluster(
        cluster,
        {name: Lines(list(survey.lines)) for name, survey in healthy.items()},
        {node.name: node_object(node) for node in cluster.nodes},
        system,
        classes=[{"metadata": {"name": "local-path", "annotations": default}}],
    )
