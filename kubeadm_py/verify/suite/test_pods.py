"""Check what pods are given and where they go."""

from __future__ import annotations

from typing import Any

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.verify import objects, workload_objects
from kubeadm_py.verify.checks import Level, check, fail
from kubeadm_py.verify.components import has_free_node
from kubeadm_py.verify.playground import Playground
from kubeadm_py.verify.target import Target

SECONDS = 90
PODS = ("test-pods",)
EXEC = (*PODS, "kubelet-access")
_UNSCHEDULABLE = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable'
_HOST_NAME = "kubernetes.io/hostname"
_SHOW = """printf 'config-env\\t%s\\n' "$CONFIG"
printf 'config-file\\t%s\\n' "$(cat /config/text)"
printf 'secret-env\\t%s\\n' "$SECRET"
printf 'secret-file\\t%s\\n' "$(cat /secret/text)"
printf 'secret-mode\\t%s\\n' "$(stat -L -c %a /secret/text)"
printf 'shared\\t%s\\n' "$(cat /shared/text)"
printf 'host\\t%s\\n' "$(cat /host-file)"
"""


@pytest.fixture(scope="session")
def tainted(cluster: ResolvedCluster) -> Node | None:
    """Return a control plane that ordinary pods must not run on."""
    return next(
        (
            node
            for node in cluster.control_planes
            if any(taint.effect != "PreferNoSchedule" for taint in node.effective_taints)
        ),
        None,
    )


@pytest.fixture(scope="session")
def pods(started: Playground, cluster: ResolvedCluster, tainted: Node | None) -> Playground:
    """Make the pods that these checks look at; they start together."""
    namespace = started.namespace
    tolerations: list[dict[str, Any]] = [] if has_free_node(cluster) else objects.ANY_TAINT
    made = workload_objects.mounts(namespace, tolerations)
    made.append(workload_objects.liveness(namespace, tolerations))
    chosen = {_HOST_NAME: cluster.members[-1].name}
    made.append(
        workload_objects.idle("selected", namespace, nodeSelector=chosen, tolerations=objects.ANY_TAINT)
    )
    nowhere = {f"{objects.LABEL}-nowhere": "true"}
    made.append(workload_objects.idle("nowhere", namespace, nodeSelector=nowhere))
    if tainted is not None:
        there = {_HOST_NAME: tainted.name}
        made.append(workload_objects.idle("refused", namespace, nodeSelector=there))
        made.append(
            workload_objects.idle("tolerant", namespace, nodeSelector=there, tolerations=objects.ANY_TAINT)
        )
    made += workload_objects.reader_account(namespace)
    made.append(workload_objects.quota(namespace))
    started.apply(*made)
    return started


@pytest.fixture(scope="session")
def given(pods: Playground) -> dict[str, str]:
    """Return what the pod `mounts` sees."""
    _ready(pods, "mounts")
    # The writer and the reader start in no order.
    script = f"for i in 1 2 3 4 5; do [ -s /shared/text ] && break; sleep 1; done\n{_SHOW}"
    output = pods.run(f"k -n $ns exec mounts -c reader -- /bin/sh -c '{_quoted(script)}' </dev/null")
    if not output.ok:
        raise pods.trouble("the pod cannot be looked into", "app=mounts", output.said)
    return dict(line.split("\t", 1) for line in output.stdout.splitlines() if "\t" in line)


@check("configmap", Level.WORKLOADS, needs=EXEC, changes=True)
def test_config_map(given: dict[str, str]) -> None:
    """A ConfigMap arrives as a variable and as a file"""
    _same(given, {"config-env": workload_objects.CONFIG, "config-file": workload_objects.CONFIG})


@check("secret", Level.WORKLOADS, needs=EXEC, changes=True)
def test_secret(given: dict[str, str]) -> None:
    """A Secret arrives as a variable and as a file that only its owner reads"""
    expected = {"secret-env": workload_objects.SECRET, "secret-file": workload_objects.SECRET}
    _same(given, {**expected, "secret-mode": "400"})


@check("emptydir", Level.WORKLOADS, needs=EXEC, changes=True)
def test_empty_dir(given: dict[str, str]) -> None:
    """Two containers share an emptyDir"""
    _same(given, {"shared": workload_objects.SHARED})


@check("hostpath", Level.WORKLOADS, needs=EXEC, changes=True)
def test_host_path(given: dict[str, str], pods: Playground, target: Target) -> None:
    """A hostPath shows the host's own file"""
    node = pods.get("pod", "mounts")["spec"]["nodeName"]
    if node not in target.hosts:
        pytest.skip(f"the pod runs on {node}, which is none of the hosts")
    _same(given, {"host": target.hosts[node].run(f"cat {workload_objects.HOST_FILE}").stdout.strip()})


@check("liveness", Level.WORKLOADS, needs=PODS, changes=True)
def test_liveness(pods: Playground) -> None:
    """A container that fails its liveness probe is restarted"""
    pods.wait(
        "pod/liveness",
        "jsonpath={.status.containerStatuses[0].restartCount}=1",
        seconds=SECONDS,
        selector="app=liveness",
        about="a restart after a failed probe",
    )


@check("node-selector", Level.WORKLOADS, needs=PODS, changes=True)
def test_node_selector(pods: Playground, cluster: ResolvedCluster) -> None:
    """A pod goes to the node it selects, and nowhere when none fits"""
    _ready(pods, "selected")
    found = pods.get("pod", "selected")["spec"]["nodeName"]
    if found != cluster.members[-1].name:
        raise fail(f"the pod runs on {found}", expected=cluster.members[-1].name)
    _unschedulable(pods, "nowhere")


@check("taint", Level.WORKLOADS, needs=(*PODS, "node-taints"), changes=True)
def test_taint_and_toleration(pods: Playground, tainted: Node | None) -> None:
    """The control plane's taint keeps a pod away and lets a tolerant one in"""
    if tainted is None:
        pytest.skip("no control plane carries a taint, as the file asks")
    _ready(pods, "tolerant")
    _unschedulable(pods, "refused")


@check("rbac", Level.WORKLOADS, needs=("namespace",), changes=True)
def test_rbac(pods: Playground) -> None:
    """A ServiceAccount may do what its Role says and nothing else"""
    account = "--as=system:serviceaccount:$ns:reader --as-group=system:serviceaccounts"
    allowed = pods.run(f"k {account} -n $ns get pods -o name")
    if not allowed.ok:
        raise fail(f"it may not list pods: {allowed.said}", expected="what the Role allows")
    refused = pods.run(f"k {account} -n $ns get secrets -o name")
    if refused.ok:
        raise fail("it may list secrets", expected="Forbidden", look="kubectl get clusterrolebindings")
    if "forbidden" not in refused.said.lower():
        raise fail(f"listing secrets fails otherwise: {refused.said}", expected="Forbidden")


@check("quota", Level.WORKLOADS, needs=("namespace",), changes=True)
def test_quota(pods: Playground) -> None:
    """A ResourceQuota refuses what goes beyond it"""
    hard = "jsonpath={.status.hard.services\\.loadbalancers}=0"
    pods.wait(
        "resourcequota/quota", hard, seconds=SECONDS, selector="app=none", about="the quota's first count"
    )
    output = pods.run("k -n $ns create service loadbalancer beyond --tcp=80:80 --dry-run=server")
    if output.ok:
        raise fail("a Service beyond the quota is accepted", expected="exceeded quota")
    if "exceeded quota" not in output.said:
        raise fail(f"the Service is refused otherwise: {output.said}", expected="exceeded quota")


def _ready(pods: Playground, name: str) -> None:
    pods.wait(
        f"pod/{name}", "condition=Ready", seconds=SECONDS, selector=f"app={name}", about=f"the pod {name}"
    )


def _unschedulable(pods: Playground, name: str) -> None:
    pods.wait(
        f"pod/{name}",
        _UNSCHEDULABLE,
        seconds=SECONDS,
        selector=f"app={name}",
        about=f"the scheduler refusing the pod {name}",
    )


def _same(given: dict[str, str], expected: dict[str, str]) -> None:
    for name, value in expected.items():
        if given.get(name) != value:
            raise fail(f"{name} is {given.get(name)!r}", expected=repr(value))


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")
