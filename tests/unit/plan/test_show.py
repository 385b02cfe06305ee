"""What a plan looks like to people and to machines."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from kubeadm_py.model.actions import (
    ApplyObjects,
    FileSpec,
    ImportImages,
    Late,
    LocalFile,
    MakeDirectories,
    Remove,
    RunScript,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan.build import changes, plan_changes
from kubeadm_py.plan.show import as_json, as_text, content_text

ACTIONS = [
    WriteFiles(
        (
            FileSpec("/etc/a", b"text", 0o644),
            FileSpec("/etc/key", Late("k", {"key of": "apiserver", "SANs": ["a", "b"]}), 0o600, secret=True),
            FileSpec("/usr/bin/kubelet", LocalFile("/bundle/kubelet", "c0ffee" * 11, 7), 0o755),
        ),
        reason="missing",
    ),
    MakeDirectories((("/var/lib/etcd", 0o700),)),
    RunScript("load modules", "modprobe overlay", stdin=b"hidden", reason="not loaded"),
    Unit("kubelet.service", "restarted", enabled=True, reason="its files changed"),
    Unit("swap.target", "stopped", enabled=False),
    ApplyObjects(
        "apply 2 API objects",
        (
            {"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "kube-system"}},
            Late("t", {"bootstrap token": "for joining nodes"}),
            {"kind": "Namespace", "metadata": {"name": "n"}},
        ),
    ),
    Wait("wait for kube-apiserver", "true", timedelta(minutes=4)),
    Remove(("/etc/old", "/etc/older"), reason="the config no longer asks for it"),
    ImportImages("/l", (("registry.k8s.io/pause:3.10", "sha256:1"),)),
]

TEXT = """\
cp1  control plane
  ~ /etc/a  0644  4 bytes, sha256 982d9e3eb996
  ~ /etc/key  0600  key of apiserver, SANs a, b
  ~ /usr/bin/kubelet  0755  7 bytes, sha256 c0ffeec0ffee
      because missing
  + /var/lib/etcd/  0700
  * load modules
      because not loaded
  * kubelet.service: restarted, enabled
      because its files changed
  * swap.target: stopped, disabled
  * apply 2 API objects
      ConfigMap kube-system/c
      bootstrap token: for joining nodes
      Namespace n
  . wait for kube-apiserver (at most 240 s)
  - /etc/old
  - /etc/older
      because the config no longer asks for it
  + image registry.k8s.io/pause:3.10

"""


@pytest.fixture
def plan() -> Plan:
    step = PlannedStep("s", "a step", tuple(ACTIONS))
    hosts = (HostPlan("cp1", (step,)), HostPlan("idle", ()))
    return Plan("init", (Stage("control", "control plane", hosts),))


def test_text(plan):
    assert as_text(plan) == TEXT


def test_json(plan):
    document = json.loads(json.dumps(as_json(plan)))
    assert (document["type"], document["verb"]) == ("plan", "init")
    [stage] = document["stages"]
    assert [host["host"] for host in stage["hosts"]] == ["cp1"], "hosts without work are left out"
    actions = stage["hosts"][0]["actions"]
    assert [action["action"] for action in actions] == [type(action).__name__ for action in ACTIONS]
    assert all(action["step"] == "s" for action in actions)
    assert actions[0]["files"][1] == {
        "path": "/etc/key",
        "mode": "0600",
        "content": "key of apiserver, SANs a, b",
    }
    assert actions[0]["reason"] == "missing"
    assert actions[3] | {"reason": ""} == {
        "step": "s",
        "action": "Unit",
        "reason": "",
        "unit": "kubelet.service",
        "state": "restarted",
        "enabled": True,
    }
    assert actions[5]["objects"] == [
        "ConfigMap kube-system/c",
        "bootstrap token: for joining nodes",
        "Namespace n",
    ]
    assert actions[1]["directories"] == ["/var/lib/etcd"]
    assert actions[6]["title"] == "wait for kube-apiserver"
    assert actions[7]["paths"] == ["/etc/old", "/etc/older"]
    assert actions[8]["images"] == ["registry.k8s.io/pause:3.10"]
    assert "hidden" not in json.dumps(document)


def test_nothing_to_do():
    empty = Plan("init", (Stage("control", "control plane", (HostPlan("cp1", ()),)),))
    assert empty.empty
    assert as_text(empty) == "nothing would change\n"
    assert as_json(empty)["stages"][0]["hosts"] == []


def test_waits_alone_are_nothing_to_do(plan):
    """An unchanged cluster is still waited for, which is no change that anybody has to read."""
    waits = PlannedStep("w", "waits", (ACTIONS[6],))
    only = Plan("init", (Stage("control", "control plane", (HostPlan("cp1", (waits,)),)),))
    assert not only.empty
    assert as_text(only) == "nothing would change\n"
    assert not plan_changes(only)
    assert plan_changes(plan)


def test_waits_change_nothing(plan):
    assert changes(plan.stages[0]) == len(ACTIONS) - 1


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (FileSpec("/f", b"hunter2", secret=True), "secret, 7 bytes"),
        (FileSpec("/f", Late("p")), "made when applied"),
        (FileSpec("/f", Late("p", {"lifetime": 3})), "lifetime 3"),
    ],
)
def test_content(spec, text):
    assert content_text(spec) == text
    assert "hunter2" not in repr(spec)
