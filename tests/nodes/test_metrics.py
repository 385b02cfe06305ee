"""metrics-server: `kubectl top` with the kubelets' certificates verified, and autoscaling of a real load."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab import nodes

from .cli import Cli
from .fleet import Cluster, Fleet
from .openssl import self_signed
from .workloads import BUSYBOX, apply, rolled_out, until, web, with_addons

pytestmark = pytest.mark.long

SERVING = "/var/lib/kubelet/pki/kubelet-server-current.pem"
MINUTES = 60.0
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
            }
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    },
}
# Each request comes over a connection of its own, from two clients.
ASKING = "ask() { while :; do wget -q -O /dev/null http://web/hostname || sleep 1; done; }; ask & ask"
LOAD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "load", "namespace": "default"},
    "spec": {
        "containers": [{"name": "load", "image": BUSYBOX, "command": ["sh", "-c", ASKING]}],
        "terminationGracePeriodSeconds": 0,
    },
}


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli) -> Iterator[Cluster]:
    yield with_addons(fleet, cli, "metrics", ["metrics-server"], built=["metrics-server"])
    fleet.bare()


@pytest.mark.runs_addon("metrics-server")
def test_kubectl_top_shows_nodes_and_pods(cluster):
    def used() -> dict[str, dict[str, str]]:
        answer = cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
        return {item["metadata"]["name"]: item["usage"] for item in json.loads(answer)["items"]}

    usage = until(used, lambda seen: set(seen) == {"cp1", "w1"}, 2 * MINUTES, "both nodes are measured")
    assert all(each["memory"].endswith("Ki") and int(each["memory"][:-2]) > 10_000 for each in usage.values())
    assert {line.split()[0] for line in cluster.kubectl("top", "nodes").splitlines()[1:]} == {"cp1", "w1"}
    # A pod is told of once two measurements lie between its start and now.
    until(
        lambda: cluster.kubectl("top", "pods", "-n", "kube-system"),
        lambda seen: "kube-apiserver-cp1" in seen,
        2 * MINUTES,
        "the API server's pod is measured",
    )


def test_a_kubelet_with_a_certificate_of_its_own_making_is_not_believed(cluster, tmp_path):
    [worker] = cluster.workers
    certificate, key = self_signed(tmp_path, "system:node:w1", worker.address)
    told = ("logs", "-n", "kube-system", "deployment/metrics-server", "--since=30s")
    nodes.exec(worker, ["sh", "-ec", f"cp -p $(readlink -f {SERVING}) /run/served.pem"])
    try:
        nodes.exec(
            worker, ["sh", "-ec", f"cat >$(readlink -f {SERVING})"], stdin=(certificate + key).decode()
        )
        nodes.exec(worker, ["systemctl", "restart", "kubelet"])
        said = until(
            lambda: cluster.kubectl(*told), lambda seen: "x509" in seen, 3 * MINUTES, "its refusal is logged"
        )
        assert "certificate signed by unknown authority" in said
        assert f"https://{worker.address}:10250/metrics/resource" in said
    finally:
        nodes.exec(worker, ["sh", "-ec", f"cat /run/served.pem >$(readlink -f {SERVING})"])
        nodes.exec(worker, ["systemctl", "restart", "kubelet"])
    until(
        lambda: (
            nodes.exec(
                cluster.control_plane,
                ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "top", "node", "w1"],
                check=False,
            ).returncode
        ),
        lambda code: code == 0,
        3 * MINUTES,
        "w1 is measured again",
    )


def test_an_autoscaler_follows_a_real_load_up_and_down(cluster):
    def replicas() -> int:
        return int(cluster.kubectl("get", "deployment", "web", "-o", "jsonpath={.status.replicas}") or 0)

    def measured() -> str:
        return cluster.kubectl(
            "get", "hpa", "web", "-o", "jsonpath={.status.currentMetrics[*].resource.current}"
        )

    apply(cluster, *web("web", cpu="20m"), SCALER)
    rolled_out(cluster, "web")
    until(measured, lambda seen: "averageUtilization" in seen, 3 * MINUTES, "the idle pod is measured")
    assert replicas() == 1
    apply(cluster, LOAD)
    until(replicas, lambda seen: seen == 3, 5 * MINUTES, "three pods under load")
    rolled_out(cluster, "web")
    cluster.kubectl("delete", "pod", "load", "--now")
    until(replicas, lambda seen: seen == 1, 6 * MINUTES, "one pod without load")
    cluster.kubectl("delete", "hpa,deployment,service", "web")


def test_a_second_apply_changes_nothing(cluster, cli):
    assert "nothing changed" in cli.run("apply", "--config", cluster.config).out
