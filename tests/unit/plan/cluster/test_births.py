"""Which control planes found etcd together, and which come later."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.versions import Version
from kubeadm_py.plan.cluster import births
from kubeadm_py.steps.etcd import birth as etcd_birth

NODES = tuple(
    Node(f"cp{number}", Role.CONTROL_PLANE, (f"10.0.0.1{number}",), ssh=SSH(f"cp{number}"))
    for number in (1, 2)
)
CLUSTER = ResolvedCluster("demo", Version(1, 36, 3), NODES, source_file="c.yaml")
JOINED = b"""spec:
  containers:
  - command:
    - etcd
    - --initial-cluster=cp1=https://10.0.0.11:2380,cp2=https://10.0.0.12:2380
    - --initial-cluster-state=existing
"""


def session(node: Node, manifest: bytes = b"") -> SimpleNamespace:
    facts = plain_debian_12(node.name, node.address)
    path = etcd_birth.MANIFEST
    files = {path: FileFact(path, 0o600, "root:root", "", content=manifest)} if manifest else {}
    return SimpleNamespace(name=node.name, node=node, facts=replace(facts, files={**facts.files, **files}))


def test_a_member_that_joined_a_cluster_of_nobody_here_is_named():
    sessions = [session(NODES[0]), session(NODES[1], JOINED)]
    with pytest.raises(KubeadmPyError, match="its etcd member joined others") as caught:
        births.decide(CLUSTER, sessions)
    assert caught.value.host == "cp2"
    assert caught.value.fix.endswith(": kubeadm-py reset --config c.yaml --host cp2")
