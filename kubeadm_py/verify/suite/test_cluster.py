"""Check the cluster as the API shows it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import CONTROL_PLANE_LABELS, Role
from kubeadm_py.verify.checks import Level, Problem, check, expect_none, fail
from kubeadm_py.verify.components import Trouble, Wanted, once_started, wanted, workload_problem
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.survey import Survey

Surveys = Mapping[str, Survey | KubeadmPyError]
Nodes = Mapping[str, Mapping[str, Any]]
Say = Callable[[str], None]

GROUND = ("reachable", "units", "ports")


@pytest.fixture(scope="session")
def nodes(kubectl: Kubectl) -> Nodes:
    """Return the Node objects by name."""
    return {each["metadata"]["name"]: each for each in kubectl.json("get", "nodes")["items"]}


@check("api", Level.CLUSTER, needs=(*GROUND, "etcd-keys", "certificate-keys"))
def test_api(kubectl: Kubectl, cluster: ResolvedCluster) -> None:
    """Every API server is ready"""
    problems = []
    for node in cluster.control_planes:
        server = f"https://{node.local_endpoint}"
        output = kubectl.run(f"k --server {shlex.quote(server)} get --raw '/readyz?verbose'")
        if not output.ok:
            bad = [line for line in output.lines if "[-]" in line] or [output.said]
            look = kubectl.look("--server", server, "get", "--raw", "/readyz?verbose")
            problems.append(Problem(f"{server}/readyz: {'; '.join(bad)}", "ok", host=node.name, look=look))
    expect_none(problems)


@check("endpoint", Level.CLUSTER, needs=(*GROUND, "api"))
def test_endpoint(surveys: Surveys, cluster: ResolvedCluster) -> None:
    """The API answers at the cluster's endpoint, seen from every host; one control plane holds a vip"""
    seen = {name: found for name, found in surveys.items() if isinstance(found, Survey)}
    problems = []
    server = f"https://{cluster.endpoint}"
    for node in cluster.members:
        if node.name not in seen:
            continue
        found, line = seen[node.name], endpoint.hosts_line(cluster, node)
        if found.hosts_lines != ([line] if line else []):
            what = f"{paths.HOSTS_FILE} says of the API: {'; '.join(found.hosts_lines) or 'nothing'}"
            problems.append(Problem(what, line or "no line of ours", host=node.name, look="cat /etc/hosts"))
        elif found.endpoint is None or found.endpoint.exit_code != 0:
            said = found.endpoint.output if found.endpoint else "nothing asked"
            look = f"kubectl --kubeconfig {paths.KUBELET_CONF} --server {server} get --raw /readyz"
            problems.append(Problem(f"{server}: {said}", "ok", host=node.name, look=look))
    vip = endpoint.vip(cluster)
    holders = [name for name, found in seen.items() if vip in found.addresses]
    if vip and (len(holders) > 1 or (not holders and len(seen) == len(cluster.nodes))):
        look = "crictl logs $(crictl ps -a --name keepalived -q | head -n 1)"
        what = f"{vip} is on {', '.join(holders) or 'no host'}"
        problems.append(Problem(what, "on one control plane", look=look))
    expect_none(problems)


@check("nodes-ready", Level.CLUSTER, needs=("api", "units"))
def test_nodes_ready(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl, say: Say) -> None:
    """Every host of the file is a Ready node"""
    problems = []
    for node in cluster.members:
        found = nodes.get(node.name)
        look = kubectl.look("describe", "node", node.name)
        if found is None:
            problems.append(
                Problem("is not a node of the cluster", "a Ready node", host=node.name, look=look)
            )
            continue
        ready: Mapping[str, Any] = next(
            (each for each in found["status"]["conditions"] if each["type"] == "Ready"), {}
        )
        if ready.get("status") != "True":
            found_text = f"is not Ready: {ready.get('reason', '?')}: {ready.get('message', '')}"
            problems.append(Problem(found_text, "Ready", host=node.name, look=look))
    strangers = sorted(set(nodes) - {node.name for node in cluster.members})
    if strangers:
        say(f"nodes that the file does not name: {', '.join(strangers)}")
    expect_none(problems)


@check("nodes-schedulable", Level.CLUSTER, needs=("nodes-ready",))
def test_nodes_schedulable(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """No node is cordoned"""
    expect_none(
        Problem("is cordoned", "schedulable", host=node.name, look=kubectl.look("uncordon", node.name))
        for node in cluster.members
        if nodes[node.name]["spec"].get("unschedulable")
    )


@check("node-addresses", Level.CLUSTER, needs=("nodes-ready",))
def test_node_addresses(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """Nodes register with the addresses of the file"""
    problems = []
    for node in cluster.members:
        found = [
            each["address"]
            for each in nodes[node.name]["status"]["addresses"]
            if each["type"] == "InternalIP"
        ]
        if node.addresses and sorted(found) != sorted(node.addresses):
            text = f"has the addresses {', '.join(found) or 'none'}"
            look = kubectl.look("get", "node", node.name, "-o", "wide")
            problems.append(Problem(text, ", ".join(node.addresses), host=node.name, look=look))
    expect_none(problems)


@check("node-labels", Level.CLUSTER, needs=("nodes-ready",))
def test_node_labels(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """Nodes carry the labels of their role and of the file"""
    problems = []
    for node in cluster.members:
        present = nodes[node.name]["metadata"].get("labels", {})
        wanted_labels = dict(node.labels)
        if node.role is Role.CONTROL_PLANE:
            wanted_labels |= CONTROL_PLANE_LABELS
        missing = {key: value for key, value in wanted_labels.items() if present.get(key) != value}
        if missing:
            text = "lacks the labels " + ", ".join(f"{key}={value}" for key, value in missing.items())
            look = kubectl.look("get", "node", node.name, "--show-labels")
            problems.append(Problem(text, "all of its labels", host=node.name, look=look))
    expect_none(problems)


@check("node-taints", Level.CLUSTER, needs=("nodes-ready",))
def test_node_taints(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl, say: Say) -> None:
    """Nodes carry the taints of their role and of the file"""
    problems = []
    for node in cluster.members:
        present = {
            (each["key"], each.get("value", ""), each["effect"])
            for each in nodes[node.name]["spec"].get("taints", [])
        }
        expected = {(taint.key, taint.value, taint.effect) for taint in node.effective_taints}
        missing = [
            str(taint)
            for taint in node.effective_taints
            if (taint.key, taint.value, taint.effect) not in present
        ]
        if missing:
            look = kubectl.look("describe", "node", node.name)
            problems.append(
                Problem(f"lacks the taint {', '.join(missing)}", "its taints", host=node.name, look=look)
            )
        extra = sorted(key for key, _, _ in present - expected if not key.startswith("node.kubernetes.io/"))
        if extra:
            say(f"{node.name} carries taints that the file does not name: {', '.join(extra)}")
    expect_none(problems)


@check("node-versions", Level.CLUSTER, needs=("nodes-ready",))
def test_node_versions(nodes: Nodes, cluster: ResolvedCluster, kubectl: Kubectl) -> None:
    """Kubelets run the cluster's version"""
    wanted_version = str(cluster.kubernetes_version)
    expect_none(
        Problem(
            f"its kubelet is {version}", wanted_version, host=node.name, look=kubectl.look("get", "nodes")
        )
        for node in cluster.members
        if (version := nodes[node.name]["status"]["nodeInfo"]["kubeletVersion"]) != wanted_version
    )


@check("components", Level.CLUSTER, needs=("nodes-ready",))
def test_components(kubectl: Kubectl, cluster: ResolvedCluster) -> None:
    """Control plane, kube-proxy, CoreDNS and add-ons are ready"""
    everything = wanted(cluster, addons.readiness(addons.resolve(cluster)))
    troubles = once_started(
        lambda: _troubles(kubectl, everything),
        lambda script, seconds: kubectl.run(script, timeout=seconds + 30, title="wait for add-ons"),
    )
    expect_none(
        Problem(
            f"{one.kind} {one.name}: {trouble}",
            "ready",
            look=kubectl.look("-n", one.namespace or "default", "describe", one.kind.lower(), one.name),
        )
        for one, trouble, _ in troubles
    )


def _troubles(kubectl: Kubectl, everything: Sequence[Wanted]) -> list[Trouble]:
    kinds = "pods,daemonsets,deployments,statefulsets"
    namespaces = sorted({one.namespace for one in everything if one.namespace})
    lists = [kubectl.json("-n", namespace, "get", kinds)["items"] for namespace in namespaces]
    if any(not one.namespace for one in everything):
        lists.append(kubectl.json("get", "apiservices")["items"])
    found = {Wanted.of(item): item for items in lists for item in items}
    judged = [(one, workload_problem(one, found.get(one)), found.get(one)) for one in everything]
    return [(one, trouble, item) for one, trouble, item in judged if trouble]


@check("anonymous", Level.CLUSTER, needs=("api",))
def test_anonymous_sees_nothing(kubectl: Kubectl) -> None:
    """The API shows no secrets to who has no credentials"""
    # kubectl asks for a user name where it has none, so the administrator asks in the stranger's name.
    stranger = "--as=system:anonymous --as-group=system:unauthenticated"
    output = kubectl.run(f"k {stranger} get --raw /api/v1/namespaces/kube-system/secrets >/dev/null")
    look = "kubectl get clusterrolebindings,rolebindings -A -o wide | grep -E 'anonymous|unauthenticated'"
    if output.ok:
        raise fail("an anonymous client may list secrets", expected="a refusal", look=look)
    if "forbidden" not in output.said.lower():
        raise fail(
            f"an anonymous client is refused otherwise: {output.said}", expected="Forbidden", look=look
        )
