"""Write the cluster file of a lab, with only the settings that this machine needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.machine import Machine
from lab.topology import POD_SUBNET, SERVICE_SUBNET, Node

_KUBEADM = "kubeadm.k8s.io/v1beta4"


@dataclass(frozen=True)
class Ssh:
    """How the nodes of a lab are reached."""

    user: str
    key: Path
    known_hosts: Path


def documents(
    name: str, version: str, nodes: Sequence[Node], ssh: Ssh, machine: Machine, bundle: Path | None
) -> list[dict[str, Any]]:
    """Return the documents of the file; without a bundle the official releases are the source."""
    registration = _registration(machine)
    return [
        {"apiVersion": _KUBEADM, "kind": "InitConfiguration", **registration},
        {
            "apiVersion": _KUBEADM,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": version,
            **_endpoint(nodes),
            "networking": {"podSubnet": POD_SUBNET, "serviceSubnet": SERVICE_SUBNET},
        },
        {"apiVersion": _KUBEADM, "kind": "JoinConfiguration", **registration},
        _kubelet(machine),
        _kube_proxy(machine),
        _cluster(name, nodes, ssh, bundle),
    ]


def text(docs: Sequence[dict[str, Any]]) -> str:
    """Return the documents as one YAML stream."""
    note = "# Written by the lab for this machine; the next `up` writes it anew.\n"
    return note + yaml.safe_dump_all(docs, sort_keys=False, explicit_start=True)


def _endpoint(nodes: Sequence[Node]) -> dict[str, Any]:
    """Return what several control planes need: the lab has no balancer, so it is the first one's address."""
    control_planes = [node for node in nodes if node.role == "control-plane"]
    return {"controlPlaneEndpoint": f"{control_planes[0].address}:6443"} if len(control_planes) > 1 else {}


def _registration(machine: Machine) -> dict[str, Any]:
    if not machine.cgroup_v1:
        return {}
    # Kubernetes 1.35 and newer count cgroup v1 as an error of the system's verification.
    return {"nodeRegistration": {"ignorePreflightErrors": ["SystemVerification"]}}


def _kubelet(machine: Machine) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
    }
    if machine.cgroup_v1:
        document["failCgroupV1"] = False
    if not machine.sys_resource:
        document["oomScoreAdj"] = 0
    if machine.swap:
        document["failSwapOn"] = False
    if machine.short_of_disk:
        # At the default thresholds the node is tainted, and images that nobody can pull again are deleted.
        document["evictionHard"] = {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
            "imagefs.inodesFree": "1%",
        }
        document["imageGCHighThresholdPercent"] = 100
    return document


def _kube_proxy(machine: Machine) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
    }
    if machine.containers:
        # The conntrack table's size belongs to the machine; a container cannot set it.
        document["conntrack"] = {"maxPerCore": 0, "min": 0}
    if not machine.sys_resource:
        document["oomScoreAdj"] = 0
    return document


def _cluster(name: str, nodes: Sequence[Node], ssh: Ssh, bundle: Path | None) -> dict[str, Any]:
    artifacts = {"source": "official"} if bundle is None else {"source": "bundle", "path": str(bundle)}
    return {
        "apiVersion": "kubeadm-py.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {
            "ssh": {
                "user": ssh.user,
                "identityFile": str(ssh.key),
                "knownHosts": str(ssh.known_hosts),
                "hostKeys": "known-hosts",
            },
            "hosts": [{"name": node.name, "role": node.role, "address": node.address} for node in nodes],
            "artifacts": artifacts,
            "addons": ["flannel", "local-path-storage"],
        },
    }
