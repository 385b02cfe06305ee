from __future__ import annotations

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version


@pytest.fixture
def node() -> Node:
    return Node("cp1", Role.CONTROL_PLANE, ("10.99.0.11",))


@pytest.fixture
def worker() -> Node:
    return Node("w1", Role.WORKER, ("10.99.0.21",))


@pytest.fixture
def cluster(node: Node, worker: Node) -> ResolvedCluster:
    return ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(node, worker),
        networking=Networking(pod_subnet="10.244.0.0/16"),
    )


@pytest.fixture
def facts() -> HostFacts:
    return HostFacts(hostname="cp1")
