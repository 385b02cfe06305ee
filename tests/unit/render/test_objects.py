from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Dns
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node
from kubeadm_py.model.versions import Version
from kubeadm_py.render import objects

CA = b"-----BEGIN CERTIFICATE-----\nTk8=\n-----END CERTIFICATE-----\n"


def names(found: list[Mapping[str, Any]]) -> list[str]:
    return [f"{each['kind']} {each['metadata']['name']}" for each in found]


def one(found: list[Any], kind: str) -> Any:
    (match,) = [each for each in found if each["kind"] == kind]
    return match


def test_disabled_addons_are_left_out(cluster: ResolvedCluster, node: Node) -> None:
    bare = replace(cluster, dns=Dns(disabled=True), proxy_disabled=True)
    found = names(objects.cluster_objects(bare, node, ca_pem=CA))
    assert not [name for name in found if "coredns" in name or "kube-proxy" in name or "kube-dns" in name]
    assert found[-1] == "RoleBinding kubeadm:bootstrap-signer-clusterinfo"


@pytest.mark.parametrize(
    ("version", "bound"), [("v1.35.4", False), ("v1.36.0-alpha.1", True), ("v1.36.3", True)]
)
def test_the_kubelet_client_has_its_own_binding_since_1_36(
    cluster: ResolvedCluster, node: Node, version: str, bound: bool
) -> None:
    own = replace(cluster, kubernetes_version=Version.parse(version))
    found = names(objects.cluster_objects(own, node, ca_pem=CA))
    assert ("ClusterRoleBinding kubeadm:apiserver-kubelet-client" in found) is bound


def test_tokens_come_before_the_roles_of_joining_nodes(cluster: ResolvedCluster, node: Node) -> None:
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bootstrap-token-abcdef"}}
    found = names(objects.cluster_objects(cluster, node, ca_pem=CA, tokens=[token]))
    place = found.index("Secret bootstrap-token-abcdef")
    assert found[place - 1] == "RoleBinding kubeadm:kubelet-config"
    assert found[place + 1] == "ClusterRole kubeadm:get-nodes"


def test_nothing_of_the_servers_own_is_sent(cluster: ResolvedCluster, node: Node) -> None:
    for each in objects.cluster_objects(cluster, node, ca_pem=CA):
        assert "status" not in each
        assert not {"creationTimestamp", "resourceVersion", "uid"} & set(each["metadata"])


def test_the_servers_are_the_endpoint_or_the_first_control_plane(
    cluster: ResolvedCluster, node: Node
) -> None:
    for own, server in (
        (cluster, "https://10.99.0.11:6443"),
        (replace(cluster, control_plane_endpoint="api.example:8443"), "https://api.example:8443"),
    ):
        found = objects.cluster_objects(own, node, ca_pem=CA)
        data = {each["metadata"]["name"]: each["data"] for each in found if each["kind"] == "ConfigMap"}
        info = yaml.safe_load(data["cluster-info"]["kubeconfig"])["clusters"][0]
        assert info == {
            "name": "",
            "cluster": {"certificate-authority-data": base64.b64encode(CA).decode(), "server": server},
        }
        proxy = yaml.safe_load(data["kube-proxy"]["kubeconfig.conf"])
        assert proxy["clusters"][0]["cluster"]["server"] == server


@pytest.mark.parametrize("given", [True, False])
def test_only_configs_that_no_one_wrote_carry_a_hash(cluster: ResolvedCluster, given: bool) -> None:
    own = replace(cluster, kubelet_config_given=given, kube_proxy_config_given=given)
    for found in (objects.kubelet_config_map(own), objects.kube_proxy(own)):
        annotations = one(found, "ConfigMap")["metadata"].get("annotations", {})
        assert ("kubeadm.kubernetes.io/component-config.hash" in annotations) is not given


def test_kube_proxy_gets_the_hosts_proxy_after_its_node_name(cluster: ResolvedCluster, node: Node) -> None:
    environment = {"no_proxy": "10.0.0.0/8", "HTTPS_PROXY": "http://proxy:3128", "HOME": "/root"}
    found = objects.cluster_objects(cluster, node, ca_pem=CA, environment=environment)
    container = one(found, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
    assert [variable["name"] for variable in container["env"]] == ["NODE_NAME", "HTTPS_PROXY", "no_proxy"]


def test_what_kube_proxy_reads_is_the_same_for_every_host(cluster: ResolvedCluster) -> None:
    for environment in ({}, {"no_proxy": "10.0.0.0/8"}):
        applied = one(objects.kube_proxy(cluster, environment), "ConfigMap")
        assert objects.kube_proxy_config_map(cluster) == applied


def test_coredns_keeps_the_replicas_it_is_given(cluster: ResolvedCluster) -> None:
    assert one(objects.coredns(cluster), "Deployment")["spec"]["replicas"] == 2
    assert one(objects.coredns(cluster, replicas=5), "Deployment")["spec"]["replicas"] == 5


def test_coredns_answers_at_the_tenth_address_of_the_first_subnet(cluster: ResolvedCluster) -> None:
    own = replace(cluster, networking=Networking("fd00:1::/112,10.96.0.0/16", "", "corp.example"))
    found = objects.coredns(own)
    assert one(found, "Service")["spec"]["clusterIP"] == "fd00:1::a"
    corefile = one(found, "ConfigMap")["data"]["Corefile"]
    assert "kubernetes corp.example in-addr.arpa ip6.arpa {" in corefile
    assert "cluster.local" not in corefile


def test_a_domain_cannot_write_into_the_corefile(cluster: ResolvedCluster) -> None:
    own = replace(cluster, networking=Networking(dns_domain="x {\n}\n. {\n forward . 192.0.2.1\n"))
    with pytest.raises(KubeadmPyError, match="one word"):
        objects.coredns(own)
