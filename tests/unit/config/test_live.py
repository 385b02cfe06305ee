"""The live ClusterConfiguration, taken over by a control plane that joins."""

from __future__ import annotations

import pytest

from kubeadm_py.config.live import adopt
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.render.cluster_configuration import cluster_configuration

CLUSTER = ResolvedCluster(
    "demo",
    Version(1, 36, 3),
    (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)),),
    control_plane_endpoint="api:6443",
    api_server_cert_sans=("a.example",),
)


def test_what_init_writes_is_read_back():
    assert adopt(CLUSTER, cluster_configuration(CLUSTER)) == CLUSTER


def test_the_live_configuration_wins():
    live = {**cluster_configuration(CLUSTER), "certificatesDir": "/etc/other", "clusterName": "other"}
    taken = adopt(CLUSTER, live)
    assert (taken.certificates_dir, taken.cluster_name) == ("/etc/other", "other")
    assert taken.nodes == CLUSTER.nodes
    assert taken.name == "demo"


def test_an_older_form_is_named():
    live = {**cluster_configuration(CLUSTER), "apiVersion": "kubeadm.k8s.io/v1beta3"}
    with pytest.raises(KubeadmPyError, match=r"kubeadm-config is of kubeadm\.k8s\.io/v1beta3"):
        adopt(CLUSTER, live)


def test_what_cannot_be_carried_out_is_named_with_its_key():
    live = {**cluster_configuration(CLUSTER), "encryptionAlgorithm": "DSA"}
    with pytest.raises(KubeadmPyError, match="cannot carry out") as caught:
        adopt(CLUSTER, live)
    assert caught.value.details[0].startswith("encryptionAlgorithm: ")
