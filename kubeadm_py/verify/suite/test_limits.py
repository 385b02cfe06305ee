"""Check that limits hold, and say what is not enforced."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.verify import expected, network, objects, workload_objects
from kubeadm_py.verify.checks import Level, check, fail
from kubeadm_py.verify.components import has_free_node
from kubeadm_py.verify.playground import Playground

SECONDS = 90
POLICY_ATTEMPTS: Mapping[bool | None, int] = {True: 20, False: 1, None: 6}
"""How often, a second apart, a connection must succeed before a NetworkPolicy counts as not enforced.

By whether the pod network promises to enforce it; None: it does not say.
"""
_THROTTLED = """for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  for file in /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu,cpuacct/cpu.stat; do
    [ -r "$file" ] || continue
    count=$(sed -n "s/^nr_throttled //p" "$file")
    [ "${count:-0}" -gt 0 ] && { echo "$count"; exit 0; }
  done
  sleep 1
done
echo "${count:-unknown}"; exit 1"""
KILLED = 137
"""The exit code of a process that SIGKILL ended."""


@pytest.fixture(scope="session")
def limited(started: Playground, cluster: ResolvedCluster) -> Playground:
    """Make the pods that go beyond their limits, and the one that a policy will shield."""
    tolerations: list[dict[str, Any]] = [] if has_free_node(cluster) else objects.ANY_TAINT
    namespace = started.namespace
    started.apply(
        workload_objects.greedy(namespace, tolerations),
        workload_objects.busy(namespace, tolerations),
        workload_objects.shielded(namespace, tolerations),
    )
    return started


@check("memory-limit", Level.WORKLOADS, needs=("test-pods",), changes=True)
def test_memory_limit(limited: Playground) -> None:
    """A container beyond its memory limit is killed"""
    # By its exit code: containerd may miss the kernel's notice, and the reason is then a plain Error.
    limited.wait(
        "pod/greedy",
        f"jsonpath={{.status.containerStatuses[0].state.terminated.exitCode}}={KILLED}",
        seconds=SECONDS,
        selector="app=greedy",
        about=f"a container killed at {workload_objects.MEMORY_LIMIT}",
    )


@check("cpu-limit", Level.WORKLOADS, needs=("test-pods", "kubelet-access"), changes=True)
def test_cpu_limit(limited: Playground) -> None:
    """A container beyond its CPU limit is throttled"""
    limited.wait("pod/busy", "condition=Ready", seconds=SECONDS, selector="app=busy", about="a busy pod")
    output = limited.run(
        f"k -n $ns exec busy -- /bin/sh -c '{_THROTTLED}' </dev/null\n"
        "code=$?; k -n $ns delete pod busy --wait=false >/dev/null; exit $code"
    )
    if not output.ok:
        found = f"its cgroup counts {output.stdout.strip() or output.said} throttled periods in 15 s"
        raise fail(found, expected="a container held at 50m of CPU")


@check("network-policy", Level.WORKLOADS, needs=("pod-network",), changes=True)
def test_network_policy(
    limited: Playground,
    servers: Sequence[network.Server],
    cluster: ResolvedCluster,
    say: Callable[[str], None],
) -> None:
    """A NetworkPolicy keeps others out, or it is said that it does not where none promises it"""
    limited.wait(
        "pod/shielded", "condition=Ready", seconds=SECONDS, selector="app=shielded", about="a pod to shield"
    )
    address = limited.get("pod", "shielded")["status"]["podIP"]
    shielded = network.Server("shielded", "", address)
    probe = network.Probe("policy", servers[0], shielded.address, objects.HTTP_PORT, "http", 1, "the pod")
    if not _answers(limited, probe):
        raise fail("the pod does not answer even before a policy", expected="an answer")
    limited.apply(workload_objects.deny_all(limited.namespace))
    names = [addon.name for addon in cluster.addons]
    promised = expected.enforces_policy(cluster)
    for _ in range(POLICY_ATTEMPTS[promised]):
        time.sleep(1)
        if not _answers(limited, probe):
            return
    if promised:
        raise fail(
            "a pod that a policy closes to all still answers",
            expected=f"nobody reaches it, as the pod network promises (add-ons: {', '.join(names)})",
        )
    say(f"NetworkPolicy is not enforced by the pod network (add-ons: {', '.join(names) or 'none'})")


def _answers(ground: Playground, probe: network.Probe) -> bool:
    output = ground.run(network.script([probe], ground.namespace), timeout=40)
    return bool(network.parse(output.stdout, [probe])[probe].responders)
