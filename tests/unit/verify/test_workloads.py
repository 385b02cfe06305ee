"""Run the workload checks over fake hosts: all pass, and each single fault fails exactly its check."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kubeadm_py.model.node import Node, Role
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.verify import expected, workload_objects
from kubeadm_py.verify.report import Outcome, VerifyReport
from kubeadm_py.verify.run import verify

MACHINE_ID = "0123456789abcdef0123456789abcdef"
PROMISED = {
    "hosts": "units files ports sysctls certificate-expiry certificate-chain certificate-keys"
    " etcd-client-certificates etcd-keys etcd-health",
    "cluster": "nodes-ready components dns pod-network service-tcp service-udp node-port-tcp"
    " node-port-udp volume",
    "workloads": "deployment-scale deployment-rollout deployment-rollback deployment-replaces statefulset"
    " daemonset-follows job liveness configmap secret emptydir hostpath node-selector taint rbac quota"
    " memory-limit cpu-limit network-policy",
}
"""What `verify` is to check, by level: a check that is renamed or lost is missed here."""

ROLLOUT = "rolled-out\nrolled-back\nrestored\nclient 120 0\nsaid deployment successfully rolled out\n"
GIVEN = {
    "config-env": workload_objects.CONFIG,
    "config-file": workload_objects.CONFIG,
    "secret-env": workload_objects.SECRET,
    "secret-file": workload_objects.SECRET,
    "secret-mode": "400",
    "shared": workload_objects.SHARED,
    "host": MACHINE_ID,
}
FORBIDDEN = b"Error from server (Forbidden): secrets is forbidden"
BEYOND = b"Error from server (Forbidden): services is forbidden: exceeded quota: quota, used: 0, limited: 0"


def refused(said: bytes) -> Result:
    return Result(1, b"", said)


def said(text: str) -> Result:
    return Result(0, text.encode(), b"")


def given(**changed: str) -> Result:
    return said("".join(f"{name}\t{value}\n" for name, value in {**GIVEN, **changed}.items()))


def on(node: str) -> Result:
    return said(json.dumps({"spec": {"nodeName": node}, "status": {"podIP": "10.244.1.9"}}))


def follower(node: str) -> Result:
    return said(json.dumps({"items": [{"spec": {"nodeName": node}}]}))


HEALTHY: Mapping[str, Result] = {
    "rollout undo deployment/web": said(ROLLOUT),
    "exec mounts -c reader": given(),
    "get pod mounts": on("w1"),
    "get pod selected": on("w1"),
    "get pod shielded": on("w1"),
    "get pods -l app=follower": follower("w1"),
    "delete pod keeper-0": said("uid-1 uid-2 uid-1\n"),
    "-n $ns get secrets": refused(FORBIDDEN),
    "create service loadbalancer": refused(BEYOND),
}
"""What the control plane answers to scripts with these texts; other scripts succeed without a word."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def run(fake: Any) -> Callable[..., VerifyReport]:
    """Return a function that verifies up to workloads, with some answers of its own."""

    def of(**changed: Result) -> VerifyReport:
        answers = {**HEALTHY, **changed}

        def host_for(node: Node) -> FakeHost:
            host: FakeHost = fake.host_for(node)
            host.answer("cat /etc/machine-id", said(f"{MACHINE_ID}\n"))
            if node.role is Role.CONTROL_PLANE:
                for text, result in answers.items():
                    host.answer(_asks(text), result)
            return host

        return verify(fake.cluster, level="workloads", hosts=host_for)

    return of


def _asks(text: str) -> Callable[[str], bool]:
    # An object that is applied may hold the same words.
    return lambda script: text in script and "apply -f -" not in script


def failures(report: VerifyReport) -> list[str]:
    return sorted({result.check for result in report.failures})


def test_all_that_was_promised_is_checked_and_none_of_it_is_skipped(run: Callable[..., VerifyReport]) -> None:
    report = run()
    assert failures(report) == []
    passed = {
        (str(result.level), result.check)
        for result in report.results
        if result.outcome in (Outcome.PASSED, Outcome.SAID)
    }
    assert {(level, check) for level, checks in PROMISED.items() for check in checks.split()} <= passed


def test_what_is_not_enforced_is_said(run: Callable[..., VerifyReport]) -> None:
    (policy,) = [result for result in run().results if result.check == "network-policy"]
    assert policy.outcome is Outcome.SAID
    assert policy.reason.startswith("NetworkPolicy is not enforced by the pod network (add-ons: flannel")


def test_what_the_network_promises_and_does_not_enforce_is_a_fault(
    run: Callable[..., VerifyReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "enforces_policy", lambda _cluster: True)
    (policy,) = [result for result in run().results if result.check == "network-policy"]
    assert policy.outcome is Outcome.FAILED
    assert policy.problems[0].found == "a pod that a policy closes to all still answers"


FAULTS: Mapping[str, tuple[str, str, Result]] = {
    "no third replica": ("deployment-scale", "wait deployment/web", refused(b"timed out")),
    "a rollout that hangs": (
        "deployment-rollout",
        "rollout undo deployment/web",
        said(ROLLOUT.replace("rolled-out\n", "")),
    ),
    "a failed request": (
        "deployment-rollout",
        "rollout undo deployment/web",
        said(ROLLOUT.replace("client 120 0", "client 120 1 connection refused")),
    ),
    "a client that never asked": (
        "deployment-rollout",
        "rollout undo deployment/web",
        said(ROLLOUT.replace("client 120 0", "client error: no such pod")),
    ),
    "a rollback that hangs": (
        "deployment-rollback",
        "rollout undo deployment/web",
        said(ROLLOUT.replace("rolled-back\n", "")),
    ),
    "a rollback to the same": (
        "deployment-rollback",
        "rollout undo deployment/web",
        said(ROLLOUT.replace("restored\n", "")),
    ),
    "a pod that is not replaced": ("deployment-replaces", "killed=$(", refused(b"timed out")),
    "a pod that cannot be killed": ("deployment-replaces", "killed=$(", said("pod/web-1\n")),
    "a StatefulSet that does not start": ("statefulset", "rollout status statefulset", refused(b"timed out")),
    "the same pod": ("statefulset", "delete pod keeper-0", said("uid-1 uid-1 uid-1\n")),
    "another volume": ("statefulset", "delete pod keeper-0", said("uid-1 uid-2 \n")),
    "a DaemonSet that does not come": (
        "daemonset-follows",
        "wait daemonset/follower",
        refused(b"timed out"),
    ),
    "a DaemonSet elsewhere": ("daemonset-follows", "get pods -l app=follower", follower("cp1")),
    "a DaemonSet that stays": ("daemonset-follows", "wait pod -l app=follower", refused(b"timed out")),
    "a Job that hangs": ("job", "wait job/job", refused(b"timed out")),
    "no restart": ("liveness", "wait pod/liveness", refused(b"timed out")),
    "a ConfigMap without a file": ("configmap", "exec mounts -c reader", given(**{"config-file": ""})),
    "a Secret without a variable": ("secret", "exec mounts -c reader", given(**{"secret-env": ""})),
    "a Secret that all may read": ("secret", "exec mounts -c reader", given(**{"secret-mode": "644"})),
    "an emptyDir for each": ("emptydir", "exec mounts -c reader", given(shared="")),
    "a file of another host": ("hostpath", "exec mounts -c reader", given(host="f" * 32)),
    "a pod on another node": ("node-selector", "get pod selected", on("cp1")),
    "a pod that goes nowhere": ("node-selector", "wait pod/selected", refused(b"timed out")),
    "a pod that goes anywhere": ("node-selector", "wait pod/nowhere", refused(b"timed out")),
    "a taint that keeps nobody away": ("taint", "wait pod/refused", refused(b"timed out")),
    "a taint that lets nobody in": ("taint", "wait pod/tolerant", refused(b"timed out")),
    "a role that allows nothing": ("rbac", "-n $ns get pods -o name", refused(FORBIDDEN)),
    "a role that allows all": ("rbac", "-n $ns get secrets", said("secret/hidden\n")),
    "an account that nobody knows": ("rbac", "-n $ns get secrets", refused(b"connection refused")),
    "a quota that nobody counts": ("quota", "wait resourcequota/quota", refused(b"timed out")),
    "a quota that refuses nothing": ("quota", "create service loadbalancer", said("service/beyond\n")),
    "another refusal": ("quota", "create service loadbalancer", refused(b"connection refused")),
    "memory without a limit": ("memory-limit", "wait pod/greedy", refused(b"timed out")),
    "CPU without a limit": ("cpu-limit", "exec busy", refused(b"0")),
}


@pytest.mark.parametrize(("check", "text", "answer"), FAULTS.values(), ids=FAULTS)
def test_each_fault_fails_exactly_its_check(
    run: Callable[..., VerifyReport], check: str, text: str, answer: Result
) -> None:
    report = run(**{text: answer})
    assert failures(report) == [check]
    assert all(problem.found for result in report.failures for problem in result.problems)


def test_every_workload_check_has_a_fault() -> None:
    # A policy that is not enforced is no fault; it is said.
    assert {check for check, *_ in FAULTS.values()} == set(PROMISED["workloads"].split()) - {"network-policy"}
