from __future__ import annotations

import json

import pytest

from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.verify.backend import testinfra_host as wrap
from kubeadm_py.verify.checks import CheckError
from kubeadm_py.verify.components import Wanted, waiting_script, workload_problem
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.playground import Playground, pod_trouble


def pod(name="web-1", node="w1", **status):
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": status}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({}, []),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "no node",
                    }
                ]
            },
            ["pod web-1: Unschedulable: no node"],
        ),
        (
            {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            ["pod web-1: ImagePullBackOff"],
        ),
        (
            {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
            ["pod web-1: still ContainerCreating on w1"],
        ),
        (
            {
                "containerStatuses": [
                    {"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ]
            },
            ["pod web-1: c ended with 137 (OOMKilled)"],
        ),
        (
            {"containerStatuses": [{"name": "c", "ready": False, "state": {"running": {}}}]},
            ["pod web-1: c runs and is not ready"],
        ),
        ({"containerStatuses": [{"name": "c", "ready": True, "state": {"running": {}}}]}, []),
        (
            {
                "initContainerStatuses": [
                    {"name": "i", "state": {"waiting": {"reason": "Err", "message": "x"}}}
                ]
            },
            ["pod web-1: Err: x"],
        ),
    ],
)
def test_pods_tell_their_trouble(status, says):
    assert pod_trouble(pod(**status)) == says


@pytest.fixture
def host():
    return FakeHost("cp1")


@pytest.fixture
def ground(host):
    return Playground(Kubectl(wrap(host), "cp1"))


def test_a_wait_that_runs_out_tells_the_pods_reasons(host, ground):
    host.answer("kw -n", Result(1, b"", b"error: timed out waiting for the condition\n"))
    waiting = {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
    host.answer("get pods", json.dumps({"items": [pod(**waiting)]}))
    with pytest.raises(CheckError) as caught:
        ground.wait("pod/web", "condition=Ready", seconds=5, selector="app=web", about="a web pod")
    (problem,) = caught.value.problems
    assert problem.found.splitlines() == [
        "a web pod: not so after 5 s",
        "pod web-1: ErrImagePull",
        "error: timed out waiting for the condition",
    ]
    assert problem.look == "on w1: journalctl -u kubelet -n 50"


def test_a_rollout_that_runs_out_says_when_no_pod_is_in_trouble(host, ground):
    host.answer("rollout status", "", exit_code=1).answer("get pods", json.dumps({"items": []}))
    with pytest.raises(CheckError, match="no trouble seen in its pods") as caught:
        ground.rollout("deployment/web", seconds=5, selector="app=web", about="a rollout")
    assert caught.value.problems[0].look.startswith("on cp1: kubectl -n kube-system logs")


def test_when_even_the_pods_cannot_be_listed(host, ground):
    host.answer(lambda script: True, "", exit_code=1)
    with pytest.raises(CheckError, match="get pods"):
        ground.wait("pod/web", "condition=Ready", seconds=5, selector="app=web", about="a web pod")


def test_objects_that_the_api_refuses(host, ground):
    host.answer("k apply", Result(1, b"", b"Error from server (Forbidden)\n"))
    with pytest.raises(CheckError, match="test objects cannot be made: Error from server"):
        ground.apply({"kind": "Pod"})


def test_what_was_never_made_is_not_removed(host, ground):
    ground.remove()
    assert host.calls == []


def test_stale_namespaces_are_noted(host, ground):
    host.answer("remove what earlier runs left", "kubeadm-py-verify-aaa\n")
    ground.create([])
    assert ground.notes == ["removed kubeadm-py-verify-aaa, which an earlier run left behind"]


@pytest.mark.parametrize(
    ("kind", "item", "says"),
    [
        ("Pod", None, "is missing"),
        ("Pod", {"status": {"phase": "Pending"}}, "is Pending and not ready"),
        ("Pod", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, ""),
        ("Deployment", {"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}, "1 of 2 are ready"),
        ("Deployment", {"spec": {"replicas": 0}, "status": {}}, ""),
        ("DaemonSet", {"status": {"desiredNumberScheduled": 3, "numberReady": 2}}, "2 of 3 are ready"),
        ("StatefulSet", {"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}, ""),
    ],
)
def test_components_tell_why_they_are_not_ready(kind, item, says):
    assert workload_problem(Wanted(kind, "ns", "x"), item) == says


def test_components_are_awaited_together():
    text = waiting_script([Wanted("Pod", "a", "x"), Wanted("DaemonSet", "b", "y")], 9)
    assert text.splitlines() == [
        "kw -n a wait pod/x --for=condition=Ready --timeout=9s >/dev/null 2>&1 &",
        "kw -n b rollout status daemonset/y --timeout=9s >/dev/null 2>&1 &",
        "wait",
    ]
