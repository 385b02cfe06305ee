"""A second scheduler that the operator brings along: a static pod, its settings, and a secret beside it."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from lab import nodes

from kubeadm_py.model import images, versions

from .fleet import ADMIN, Documents

CONFIGURATION = "/etc/kubernetes/second-scheduler.yaml"
KEY = "/etc/second/key"
MANIFEST = "/etc/kubernetes/manifests/second-scheduler.yaml"
IMAGE = f"{images.DEFAULT_REPOSITORY}/kube-scheduler:{versions.DEFAULT_VERSION}"
SETTINGS = {
    "apiVersion": "kubescheduler.config.k8s.io/v1",
    "kind": "KubeSchedulerConfiguration",
    "clientConnection": {"kubeconfig": "/etc/kubernetes/scheduler.conf"},
    "leaderElection": {"leaderElect": False},
    "profiles": [{"schedulerName": "second"}],
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "second-scheduler", "namespace": "kube-system"},
    "spec": {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "containers": [
            {
                "name": "scheduler",
                "image": IMAGE,
                "command": ["kube-scheduler", f"--config={CONFIGURATION}", "--secure-port=10269"],
                "volumeMounts": [{"name": "etc", "mountPath": "/etc/kubernetes", "readOnly": True}],
            }
        ],
        "volumes": [{"name": "etc", "hostPath": {"path": "/etc/kubernetes", "type": "Directory"}}],
    },
}
PLACED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "placed"},
    "spec": {
        "schedulerName": "second",
        "containers": [{"name": "pause", "image": images.TEST_IMAGE, "args": ["pause"]}],
    },
}


def on_host(node, *argv: str) -> str:
    return nodes.exec(node, list(argv)).stdout.strip()


@pytest.mark.cluster(workers=1)
def test_a_second_scheduler_places_a_pod_and_goes_again(fleet, cli, cluster, tmp_path):
    key = tmp_path / "key"
    key.write_text("hunter2-of-second")
    key.chmod(0o600)
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(POD))

    def with_scheduler(documents: Documents) -> None:
        hosts = documents["Cluster"]["spec"]["hosts"]
        documents["Cluster"]["spec"]["hosts"] = hosts[:2]
        hosts[0]["files"] = [
            {"path": CONFIGURATION, "content": yaml.safe_dump(SETTINGS), "mode": "0640"},
            {"path": KEY, "source": str(key), "secret": True, "owner": "root:adm"},
        ]
        hosts[0]["staticPods"] = [str(tmp_path / "pod.yaml")]

    def without(documents: Documents) -> None:
        documents["Cluster"]["spec"]["hosts"] = documents["Cluster"]["spec"]["hosts"][:2]

    config = fleet.variant("second-scheduler", with_scheduler)
    planned = cli.run("apply", "--config", config, "--dry-run")
    assert KEY in planned.out
    applied = cli.run("apply", "--config", config, "-v", "5")
    assert "hunter2" not in planned.text + applied.text
    cp1 = cluster.control_plane
    assert on_host(cp1, "stat", "-c", "%a %U:%G", KEY) == "600 root:adm"
    assert on_host(cp1, "cat", KEY) == "hunter2-of-second"
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(PLACED))
    try:
        cluster.kubectl("wait", "pod/placed", "--for=condition=Ready", "--timeout=90s")
        events = cluster.kubectl(
            "get", "events", "-o", "json", "--field-selector", "involvedObject.name=placed"
        )
        scheduled = [each for each in json.loads(events)["items"] if each["reason"] == "Scheduled"]
        assert [each.get("reportingComponent") for each in scheduled] == ["second"]
    finally:
        cluster.kubectl("delete", "pod", "placed", "--now", "--wait=true")
    assert cli.run("apply", "--config", config, "--format", "json").report["changed"] == 0

    on_host(cp1, "sh", "-c", f"echo other >{KEY}; chmod 644 {CONFIGURATION}")
    cli.run("apply", "--config", config)
    assert on_host(cp1, "cat", KEY) == "hunter2-of-second"
    assert on_host(cp1, "stat", "-c", "%a", CONFIGURATION) == "640"

    cli.run("apply", "--config", fleet.variant("without-second", without))
    left = on_host(cp1, "sh", "-c", f"ls {MANIFEST} {CONFIGURATION} {KEY} 2>/dev/null; true")
    assert left == ""
    deadline = time.monotonic() + 60
    while (
        "second-scheduler"
        in nodes.exec(
            cp1, ["kubectl", "--kubeconfig", ADMIN, "get", "pods", "-n", "kube-system", "-o", "name"]
        ).stdout
    ):
        assert time.monotonic() < deadline, "the pod of a removed manifest is still there"
        time.sleep(0.5)


@pytest.mark.long
@pytest.mark.cluster(workers=1)
def test_a_reset_takes_them_with_it(fleet, cli, cluster, tmp_path):
    w1 = cluster.workers[0]
    kept = on_host(w1, "sha256sum", "/etc/hostname").split()[0]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mine", "namespace": "kube-system"},
        "spec": {"containers": [{"name": "mine", "image": images.TEST_IMAGE, "args": ["pause"]}]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(pod))

    def with_mine(documents: Documents) -> None:
        hosts = documents["Cluster"]["spec"]["hosts"]
        documents["Cluster"]["spec"]["hosts"] = hosts[:2]
        hosts[1]["files"] = [{"path": "/etc/mine/deep/file", "content": "mine"}]
        hosts[1]["staticPods"] = [str(tmp_path / "mine.yaml")]

    config = fleet.variant("mine", with_mine)
    cli.run("apply", "--config", config)
    cluster.kubectl("wait", "pod/mine-w1", "-n", "kube-system", "--for=condition=Ready", "--timeout=90s")
    cli.run("reset", "--config", config, "--host", "w1", "--yes", "--keep-artifacts")
    left = on_host(w1, "sh", "-c", "ls -d /etc/mine /etc/kubernetes 2>/dev/null; crictl ps -q; true")
    assert left == "", "file, folders, manifest and container are gone"
    assert on_host(w1, "sha256sum", "/etc/hostname").split()[0] == kept
