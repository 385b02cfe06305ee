"""Check the pod network, Services and DNS through pods of our own on every node."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.verify import network, objects, storage
from kubeadm_py.verify.checks import Level, Problem, check, expect_none, fail
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.playground import Playground

Servers = Sequence[network.Server]
Answers = Mapping[network.Probe, network.Answer]

START_SECONDS = 120
ROUNDS = 4
PAUSE_SECONDS = 2.0
"""kube-proxy and CoreDNS learn of a new Service within a second or two, later on a loaded machine."""


@pytest.fixture(scope="session")
def answers(started: Playground, servers: Servers, cluster: ResolvedCluster) -> Answers:
    """Ask everything at once, and again what did not answer as it should."""
    found = network.services(started.get("services")["items"])
    addresses = {node.name: node.address for node in cluster.members}
    wanted = network.probes(servers, found, addresses, started.namespace, cluster.networking.dns_domain)
    backends = frozenset(server.pod for server in servers)
    collected: dict[network.Probe, network.Answer] = {}
    for round_number in range(ROUNDS):
        script = network.script(wanted, started.namespace)
        output = started.run(script, timeout=60, title="probe the network")
        collected = network.merged(collected, network.parse(output.stdout, wanted))
        wanted = [probe for probe in wanted if network.complaint(probe, collected[probe], backends)]
        if not wanted:
            break
        if round_number + 1 < ROUNDS:
            time.sleep(PAUSE_SECONDS)
    return collected


@check("namespace", Level.CLUSTER, needs=("nodes-schedulable", "sysctls", "components"), changes=True)
def test_namespace_is_made(started: Playground, kubectl: Kubectl) -> None:
    """A namespace takes pods and Services"""
    names = {each["metadata"]["name"] for each in kubectl.json("get", "namespaces")["items"]}
    if started.namespace not in names:
        raise fail(f"{started.namespace} is gone again", expected="a namespace that stays")


@check("test-pods", Level.CLUSTER, needs=("namespace",), changes=True)
def test_pods_run_everywhere(started: Playground, cluster: ResolvedCluster) -> None:
    """A DaemonSet's pods start on every node"""
    started.rollout(
        f"daemonset/{objects.ECHO}",
        seconds=START_SECONDS,
        selector=f"app={objects.ECHO}",
        about="a test pod on every node",
    )
    if len(cluster.members) == 1:
        started.wait(
            "pod/echo-second",
            "condition=Ready",
            seconds=START_SECONDS,
            selector="app=echo-second",
            about="a second test pod",
        )


@check("kubelet-access", Level.CLUSTER, needs=("test-pods",), changes=True)
def test_api_server_reaches_kubelets(servers: Servers, started: Playground, kubectl: Kubectl) -> None:
    """The API server may run commands in pods of every node"""
    lines = []
    for server in servers:
        command = f"k -n $ns exec {server.pod} -- /bin/true </dev/null 2>&1 || echo failed"
        lines.append(f"{{ {command}; }} | sed 's/^/{server.node}\\t/' &")
    said: dict[str, list[str]] = {}
    for line in started.run("\n".join([*lines, "wait"])).stdout.splitlines():
        node, _, text = line.partition("\t")
        said.setdefault(node, []).append(text)
    look = kubectl.look("get", "clusterrolebinding", "kubeadm:apiserver-kubelet-client", "-o", "wide")
    expect_none(
        Problem(f"kubectl exec: {texts[0]}", "a command that runs", host=node, look=look)
        for node, texts in said.items()
        if "failed" in texts
    )


@check("pod-network", Level.CLUSTER, needs=("test-pods", "kubelet-access"), changes=True)
def test_pods_reach_pods_on_other_nodes(answers: Answers, servers: Servers, kubectl: Kubectl) -> None:
    """Pods reach pods on other nodes over TCP and UDP"""
    if len({server.node for server in servers}) < 2:
        pytest.skip("one node: there is no other to reach")
    _judge(answers, servers, "pod-network", kubectl.look("get", "pods", "-A", "-o", "wide"))


@check("service-tcp", Level.CLUSTER, needs=("pod-network",), changes=True)
def test_service_tcp(answers: Answers, servers: Servers, kubectl: Kubectl) -> None:
    """A ClusterIP leads over TCP to every backend, from every node"""
    _judge(
        answers, servers, "service-tcp", kubectl.look("-n", "kube-system", "logs", "-l", "k8s-app=kube-proxy")
    )


@check("service-udp", Level.CLUSTER, needs=("pod-network",), changes=True)
def test_service_udp(answers: Answers, servers: Servers, kubectl: Kubectl) -> None:
    """A ClusterIP leads over UDP to every backend, from every node"""
    _judge(
        answers, servers, "service-udp", kubectl.look("-n", "kube-system", "logs", "-l", "k8s-app=kube-proxy")
    )


@check("node-port-tcp", Level.CLUSTER, needs=("service-tcp",), changes=True)
def test_node_port_tcp(answers: Answers, servers: Servers, kubectl: Kubectl) -> None:
    """A NodePort answers over TCP on every node"""
    _judge(
        answers,
        servers,
        "node-port-tcp",
        kubectl.look("-n", "kube-system", "logs", "-l", "k8s-app=kube-proxy"),
    )


@check("node-port-udp", Level.CLUSTER, needs=("service-udp",), changes=True)
def test_node_port_udp(answers: Answers, servers: Servers, kubectl: Kubectl) -> None:
    """A NodePort answers over UDP on every node"""
    _judge(
        answers,
        servers,
        "node-port-udp",
        kubectl.look("-n", "kube-system", "logs", "-l", "k8s-app=kube-proxy"),
    )


@check("dns", Level.CLUSTER, needs=("service-tcp", "service-udp"), changes=True)
def test_dns(answers: Answers, servers: Servers, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """Service names resolve in pods, short and in full, on every node"""
    if cluster.dns.disabled:
        pytest.skip("dns.disabled: the cluster's DNS is the operator's own")
    _judge(answers, servers, "dns", kubectl.look("-n", "kube-system", "logs", "-l", "k8s-app=kube-dns"))


@check("volume", Level.CLUSTER, needs=("namespace",), changes=True)
def test_volume(started: Playground, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """A claim is bound, and a pod writes to it and reads it again"""
    if reason := storage.obstacle(kubectl, cluster):
        pytest.skip(reason)
    started.wait(
        "pod/volume",
        "condition=Ready",
        seconds=START_SECONDS,
        selector="app=volume",
        about="a pod that wrote to its claim",
    )
    phase = started.get("persistentvolumeclaim", "volume")["status"].get("phase")
    expect_none([Problem(f"the claim is {phase}", "Bound")] if phase != "Bound" else [])


def _judge(answers: Answers, servers: Servers, kind: str, look: str) -> None:
    backends = frozenset(server.pod for server in servers)
    complaints = [
        (probe, text)
        for probe, answer in answers.items()
        if probe.kind == kind and (text := network.complaint(probe, answer, backends))
    ]
    expect_none(Problem(text, "an answer", host=probe.source.node, look=look) for probe, text in complaints)
