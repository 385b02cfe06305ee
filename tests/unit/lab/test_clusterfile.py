"""The lab's cluster file: only the settings that the machine needs, and nothing of them on a better one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import clusterfile, topology
from lab.clusterfile import Ssh
from lab.machine import VIRTUAL, Machine

LAPTOP = Machine(cgroup_v1=False, sys_resource=True, short_of_disk=False, swap=False, containers=True)
SANDBOX = Machine(cgroup_v1=True, sys_resource=False, short_of_disk=True, swap=False, containers=True)
SSH = Ssh("vagrant", Path("/lab/id_ed25519"), Path("/lab/known_hosts"))
NODES = [topology.node("demo", name) for name in topology.DEFAULT_NODES]


def by_kind(machine: Machine, bundle: Path | None = Path("/bundle")) -> dict[str, dict[str, Any]]:
    docs = clusterfile.documents("lab-demo", "v1.36.3", NODES, SSH, machine, bundle)
    return {document["kind"]: document for document in yaml.safe_load_all(clusterfile.text(docs))}


def test_a_laptop_gets_no_weakened_setting() -> None:
    documents = by_kind(LAPTOP)
    assert set(documents["InitConfiguration"]) == {"apiVersion", "kind"}
    assert set(documents["JoinConfiguration"]) == {"apiVersion", "kind"}
    assert set(documents["KubeletConfiguration"]) == {"apiVersion", "kind", "cgroupDriver"}
    assert set(documents["KubeProxyConfiguration"]) == {"apiVersion", "kind", "conntrack"}


def test_a_virtual_machine_sets_its_own_conntrack_table() -> None:
    assert set(by_kind(VIRTUAL)["KubeProxyConfiguration"]) == {"apiVersion", "kind"}


def test_a_small_sandbox_gets_all_of_them() -> None:
    documents = by_kind(SANDBOX)
    for kind in ("InitConfiguration", "JoinConfiguration"):
        assert documents[kind]["nodeRegistration"] == {"ignorePreflightErrors": ["SystemVerification"]}
    kubelet = documents["KubeletConfiguration"]
    assert kubelet["failCgroupV1"] is False
    assert kubelet["oomScoreAdj"] == 0
    assert kubelet["evictionHard"]["imagefs.available"] == "1%"
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert documents["KubeProxyConfiguration"]["oomScoreAdj"] == 0


@pytest.mark.parametrize(
    ("machine", "keys"),
    [
        (replace(LAPTOP, cgroup_v1=True), {"failCgroupV1"}),
        (replace(LAPTOP, sys_resource=False), {"oomScoreAdj"}),
        (replace(LAPTOP, swap=True), {"failSwapOn"}),
        (replace(LAPTOP, short_of_disk=True), {"evictionHard", "imageGCHighThresholdPercent"}),
    ],
)
def test_each_lack_brings_its_own_kubelet_settings(machine: Machine, keys: set[str]) -> None:
    usual = {"apiVersion", "kind", "cgroupDriver"}
    assert set(by_kind(machine)["KubeletConfiguration"]) - usual == keys


def test_our_document_says_how_to_reach_whom() -> None:
    spec = by_kind(LAPTOP)["Cluster"]["spec"]
    assert spec["ssh"] == {
        "user": "vagrant",
        "identityFile": "/lab/id_ed25519",
        "knownHosts": "/lab/known_hosts",
        "hostKeys": "known-hosts",
    }
    assert spec["hosts"] == [
        {"name": "cp1", "role": "control-plane", "address": "10.99.0.11"},
        {"name": "w1", "role": "worker", "address": "10.99.0.21"},
        {"name": "w2", "role": "worker", "address": "10.99.0.22"},
    ]
    assert spec["artifacts"] == {"source": "bundle", "path": "/bundle"}


def test_without_a_bundle_the_official_releases_are_the_source() -> None:
    assert by_kind(LAPTOP, bundle=None)["Cluster"]["spec"]["artifacts"] == {"source": "official"}
