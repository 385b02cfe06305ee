"""Check what controllers promise: replicas, rollouts, names, volumes, following nodes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.verify import network, objects, storage, workload_objects
from kubeadm_py.verify.checks import Level, check, fail
from kubeadm_py.verify.components import has_free_node
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.playground import Playground

SECONDS = 90
REPLICAS = 3
PODS = ("test-pods",)
_CLIENT = """rm -f /tmp/stop; asked=0; failed=0
while [ ! -e /tmp/stop ]; do
  asked=$((asked + 1))
  timeout 3 wget -q -O /dev/null "http://$0/hostname" 2>/tmp/why || {
    failed=$((failed + 1))
    cp /tmp/why /tmp/first
  }
  sleep 0.1
done
echo "$asked $failed $(tail -n 1 /tmp/first 2>/dev/null)"; rm -f /tmp/first"""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Hold how a rollout and its rollback went while a client kept asking."""

    rolled_out: bool
    rolled_back: bool
    restored: bool
    asked: int
    failed: int
    reason: str
    said: str


@pytest.fixture(scope="session")
def tolerations(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    """Return what lets an ordinary pod run where every node is tainted."""
    return [] if has_free_node(cluster) else objects.ANY_TAINT


@pytest.fixture(scope="session")
def workloads(
    started: Playground, kubectl: Kubectl, cluster: ResolvedCluster, tolerations: list[dict[str, Any]]
) -> Playground:
    """Make the controllers' objects; they start while others are looked at."""
    namespace = started.namespace
    made = workload_objects.deployment(namespace, tolerations)
    made.append(workload_objects.job(namespace, tolerations))
    made.append(workload_objects.follower(namespace, started.run_name))
    if not storage.obstacle(kubectl, cluster):
        made += workload_objects.stateful_set(namespace)
    started.apply(*made)
    return started


@pytest.fixture(scope="session")
def rollout(workloads: Playground, servers: Sequence[network.Server]) -> Rollout:
    """Roll out and back while a client asks through the Service."""
    caller = servers[0].pod
    client = shlex.join(["exec", caller, "--", "/bin/sh", "-c", _CLIENT])
    change = shlex.quote('{"spec":{"template":{"metadata":{"annotations":{"round":"2"}}}}}')
    wait = f'kw -n $ns rollout status deployment/web --timeout={SECONDS}s >>"$t/said" 2>&1'
    script = f"""t=$(mktemp -d /run/kubeadm-py-verify.XXXXXX) || exit 1
trap 'rm -rf -- "$t"' EXIT
address=$(k -n $ns get service web -o 'jsonpath={{.spec.clusterIP}}')
case $address in *:*) address="[$address]" ;; esac
kw -n $ns {client} "$address:{objects.SERVICE_TCP_PORT}" >"$t/client" 2>&1 </dev/null &
k -n $ns patch deployment web --type merge -p {change} >>"$t/said" 2>&1
{wait} && echo rolled-out
k -n $ns rollout undo deployment/web >>"$t/said" 2>&1
{wait} && echo rolled-back
round=$(k -n $ns get deployment web -o 'jsonpath={{.spec.template.metadata.annotations.round}}')
[ -z "$round" ] && echo restored
k -n $ns exec {caller} -- touch /tmp/stop
wait
echo "client $(tail -n 1 "$t/client")"
echo "said $(tail -n 1 "$t/said")"
"""
    output = workloads.run(script, timeout=2 * SECONDS + 60, title="roll out and back under load")
    lines = output.stdout.splitlines()
    counts = next((line.split(" ", 3)[1:] for line in lines if line.startswith("client ")), [])
    numbers = [int(word) for word in counts[:2] if word.isdecimal()]
    asked, failed = numbers if len(numbers) == 2 else (0, 0)
    return Rollout(
        "rolled-out" in lines,
        "rolled-back" in lines,
        "restored" in lines,
        asked,
        failed,
        " ".join(counts[2:]),
        next((line.removeprefix("said ") for line in lines if line.startswith("said ")), output.said),
    )


@check("deployment-scale", Level.WORKLOADS, needs=PODS, changes=True)
def test_deployment_scales(workloads: Playground) -> None:
    """A Deployment is scaled"""
    workloads.run(f"k -n $ns scale deployment/web --replicas={REPLICAS}")
    workloads.wait(
        "deployment/web",
        f"jsonpath={{.status.availableReplicas}}={REPLICAS}",
        seconds=SECONDS,
        selector="app=web",
        about=f"{REPLICAS} available replicas",
    )


@check("deployment-rollout", Level.WORKLOADS, needs=("deployment-scale", "service-tcp"), changes=True)
def test_deployment_rolls_out_without_a_gap(rollout: Rollout, workloads: Playground) -> None:
    """A Deployment is rolled out with no failed request"""
    if not rollout.rolled_out:
        raise workloads.trouble(f"the rollout did not end in {SECONDS} s", "app=web", rollout.said)
    if not rollout.asked or rollout.failed:
        found = f"{rollout.failed} of {rollout.asked} requests failed: {rollout.reason}"
        raise fail(found, expected="requests, and none that fails")


@check("deployment-rollback", Level.WORKLOADS, needs=("deployment-rollout",), changes=True)
def test_deployment_rolls_back(rollout: Rollout, workloads: Playground) -> None:
    """A Deployment is rolled back"""
    if not rollout.rolled_back:
        raise workloads.trouble(f"the rollback did not end in {SECONDS} s", "app=web", rollout.said)
    if not rollout.restored:
        raise fail("the pods still carry what was rolled back", expected="the template from before")


@check("deployment-replaces", Level.WORKLOADS, needs=("deployment-scale",), changes=True)
def test_deployment_replaces_a_killed_pod(workloads: Playground) -> None:
    """A killed pod of a Deployment is replaced"""
    output = workloads.run(
        "killed=$(k -n $ns get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')\n"
        'kw -n $ns delete pod "$killed" --grace-period=1 --timeout=60s >/dev/null || exit 1\n'
        f"kw -n $ns wait deployment/web --for='jsonpath={{.status.availableReplicas}}={REPLICAS}' "
        f"--timeout={SECONDS}s >/dev/null || exit 1\n"
        'k -n $ns get pod "$killed" --ignore-not-found -o name',
        timeout=SECONDS + 90,
    )
    if not output.ok:
        raise workloads.trouble("the killed pod was not replaced", "app=web", output.said)
    if output.stdout.strip():
        raise fail(f"{output.stdout.strip()} is still there", expected="another pod in its place")


@check("statefulset", Level.WORKLOADS, needs=("volume", "test-pods", "kubelet-access"), changes=True)
def test_stateful_set_keeps_name_and_volume(
    workloads: Playground, kubectl: Kubectl, cluster: ResolvedCluster
) -> None:
    """A StatefulSet's pod comes back with its name and its volume"""
    if reason := storage.obstacle(kubectl, cluster):
        pytest.skip(reason)
    workloads.rollout(
        "statefulset/keeper", seconds=SECONDS, selector="app=keeper", about="the StatefulSet's pod"
    )
    output = workloads.run(
        "uid() { k -n $ns get pod keeper-0 -o 'jsonpath={.metadata.uid}'; }\n"
        "before=$(uid)\n"
        'k -n $ns exec keeper-0 -- /bin/sh -c "echo $before >/data/owner && sync" || exit 1\n'
        "kw -n $ns delete pod keeper-0 --grace-period=1 --timeout=60s >/dev/null || exit 1\n"
        f"kw -n $ns rollout status statefulset/keeper --timeout={SECONDS}s >/dev/null || exit 1\n"
        'echo "$before $(uid) $(k -n $ns exec keeper-0 -- cat /data/owner)"',
        timeout=SECONDS + 90,
    )
    if not output.ok:
        raise workloads.trouble("keeper-0 did not come back", "app=keeper", output.said)
    before, after, owner = [*output.stdout.split(), "", "", ""][:3]
    if before == after:
        raise fail("the pod was not replaced", expected="a new pod of the same name")
    if owner != before:
        raise fail(f"its volume holds {owner!r}", expected=f"what the pod before wrote: {before}")


@check("daemonset-follows", Level.WORKLOADS, needs=PODS, changes=True)
def test_daemon_set_follows_nodes(workloads: Playground, cluster: ResolvedCluster) -> None:
    """A DaemonSet follows a node's label: a pod comes, and goes again"""
    node = cluster.members[-1].name
    workloads.run(f"k label node {node} {objects.LABEL}={workloads.run_name}")
    try:
        workloads.wait(
            "daemonset/follower",
            "jsonpath={.status.numberReady}=1",
            seconds=SECONDS,
            selector="app=follower",
            about=f"a pod on {node}",
        )
        placed = [each["spec"]["nodeName"] for each in workloads.get("pods", "-l", "app=follower")["items"]]
    finally:
        workloads.run(f"k label node {node} {objects.LABEL}-")
    if placed != [node]:
        raise fail(f"its pods are on {placed}", expected=f"one on {node}")
    workloads.wait(
        "pod -l app=follower",
        "delete",
        seconds=SECONDS,
        selector="app=follower",
        about=f"the pod leaving {node}",
    )


@check("job", Level.WORKLOADS, needs=PODS, changes=True)
def test_job_completes(workloads: Playground) -> None:
    """A Job completes"""
    workloads.wait(
        "job/job", "condition=complete", seconds=SECONDS, selector="app=job", about="a Job of two pods"
    )
