from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import sans, table
from kubeadm_py.pki.issue import USAGES
from kubeadm_py.pki.requests import (
    authority_requests,
    hours_text,
    key_pair_requests,
    kubeconfig_requests,
    leaf_requests,
    requests,
)

EXTERNAL = Etcd(local=None, external=ExternalEtcd(endpoints=("https://10.0.0.1:2379",)))


def test_every_word_of_the_table_means_something() -> None:
    rows = table.table()
    authorities = {row.name for row in rows.authorities}
    for row in rows.certificates:
        assert row.signer in authorities
        assert set(row.sans) <= set(sans.RULES)
        assert set(row.usages) <= set(USAGES)
        assert row.usages
    for row in (*rows.certificates, *rows.kubeconfigs):
        assert row.hosts
        assert set(row.hosts) <= {*(role.value for role in Role), "first-control-plane", "etcd-member"}
    assert {row.server for row in rows.kubeconfigs} == {"endpoint", "local"}
    names = [row.name for row in (*rows.authorities, *rows.certificates)]
    assert len(set(names)) == len(names)


def test_a_misspelt_key_in_the_table_is_not_ignored(tmp_path: Path) -> None:
    text = (
        "authorities: [{name: ca, file: ca, commonName: kubernetes, localEtcd: true}]\n"
        "certificates: []\nkeyPairs: []\nkubeconfigs: []\n"
    )
    (tmp_path / "table.yaml").write_text(text)
    with pytest.raises(TypeError, match="local_etcd"):
        table.read(tmp_path / "table.yaml")


def test_an_authority_comes_before_what_it_signs(cluster: ResolvedCluster, node: Node) -> None:
    seen: set[str] = set()
    for request in requests(cluster, node):
        if request.is_authority:
            seen.add(request.name)
        else:
            assert request.signer in seen
    assert seen == {"ca", "front-proxy-ca", "etcd-ca"}


def test_certificates_live_under_certificates_dir(cluster: ResolvedCluster, node: Node) -> None:
    elsewhere = replace(cluster, certificates_dir="/srv/pki")
    paths = {request.name: request.certificate_path for request in requests(elsewhere, node)}
    assert paths["etcd-peer"] == "/srv/pki/etcd/peer.crt"
    assert all(path.startswith("/srv/pki/") for path in paths.values())
    (pair,) = key_pair_requests(elsewhere)
    assert (pair.key_path, pair.public_key_path) == ("/srv/pki/sa.key", "/srv/pki/sa.pub")


def test_external_etcd_needs_no_etcd_certificates(cluster: ResolvedCluster, node: Node) -> None:
    names = [request.name for request in requests(replace(cluster, etcd=EXTERNAL), node)]
    assert names == [
        "ca",
        "apiserver",
        "apiserver-kubelet-client",
        "front-proxy-ca",
        "front-proxy-client",
    ]


def test_a_worker_carries_nothing(cluster: ResolvedCluster) -> None:
    worker = cluster.node("w1")
    assert leaf_requests(cluster, worker) == []
    assert kubeconfig_requests(cluster, worker) == []


def test_super_admin_is_for_the_first_control_plane_only(cluster: ResolvedCluster, node: Node) -> None:
    second = Node("cp2", Role.CONTROL_PLANE, ("10.99.0.12",))
    grown = replace(cluster, nodes=(*cluster.nodes, second))
    assert "super-admin.conf" in [request.name for request in kubeconfig_requests(grown, node)]
    names = [request.name for request in kubeconfig_requests(grown, second)]
    assert names == ["admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"]


def test_without_an_endpoint_everything_speaks_to_the_host_itself(
    cluster: ResolvedCluster, node: Node
) -> None:
    alone = replace(cluster, control_plane_endpoint="")
    servers = {request.server for request in kubeconfig_requests(alone, node)}
    assert servers == {"https://10.99.0.11:6443"}
    apiserver = leaf_requests(alone, node)[0]
    assert apiserver.ip_addresses == ("10.96.0.1", "10.99.0.11")
    assert "k8s.example.test" not in apiserver.dns_names


def test_the_advertise_address_counts_where_it_is_given(cluster: ResolvedCluster, node: Node) -> None:
    elsewhere = replace(node, advertise_address="192.0.2.9", bind_port=7443)
    by_name = {request.name: request for request in leaf_requests(cluster, elsewhere)}
    assert "192.0.2.9" in by_name["apiserver"].ip_addresses
    assert by_name["etcd-server"].ip_addresses == ("192.0.2.9", "127.0.0.1", "::1")
    servers = {request.name: request.server for request in kubeconfig_requests(cluster, elsewhere)}
    assert servers["scheduler.conf"] == "https://192.0.2.9:7443"
    assert servers["admin.conf"] == "https://k8s.example.test:6443"


def test_extra_sans_reach_their_certificate_only(cluster: ResolvedCluster, node: Node) -> None:
    local = LocalEtcd(server_cert_sans=("etcd.test", "192.0.2.1"), peer_cert_sans=("peer.test",))
    extended = replace(cluster, etcd=Etcd(local=local), api_server_cert_sans=("*.api.test", "2001:DB8::1"))
    by_name = {request.name: request for request in leaf_requests(extended, node)}
    assert by_name["etcd-server"].dns_names == ("cp1", "etcd.test", "localhost")
    assert by_name["etcd-server"].ip_addresses[-1] == "192.0.2.1"
    assert by_name["etcd-peer"].dns_names == ("cp1", "localhost", "peer.test")
    assert by_name["apiserver"].dns_names[0] == "*.api.test"
    assert by_name["apiserver"].ip_addresses[-1] == "2001:db8::1"


def test_etcd_sans_are_nothing_without_a_local_etcd(cluster: ResolvedCluster, node: Node) -> None:
    rules = ["etcd-server-cert-sans", "etcd-peer-cert-sans"]
    assert sans.resolve(rules, replace(cluster, etcd=EXTERNAL), node) == ((), ())


def test_ipv6_cluster(cluster: ResolvedCluster) -> None:
    six = Node("cp1", Role.CONTROL_PLANE, ("fd00::11",))
    dual = replace(
        cluster,
        nodes=(six,),
        control_plane_endpoint="[fd00::100]:8443",
        networking=Networking(service_subnet="fd00:10:96::/112,10.96.0.0/12"),
    )
    by_name = {request.name: request for request in leaf_requests(dual, six)}
    assert by_name["apiserver"].ip_addresses == ("fd00:10:96::1", "fd00::11", "fd00::100")
    servers = {request.name: request.server for request in kubeconfig_requests(dual, six)}
    assert servers["admin.conf"] == "https://[fd00::100]:8443"
    assert servers["kubelet.conf"] == "https://[fd00::11]:6443"


def test_names_are_sorted_and_addresses_keep_their_order() -> None:
    names = ["b", "10.0.0.9", "a", "b", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.9"]
    assert sans.normalise(names) == (("a", "b"), ("10.0.0.9", "10.0.0.1"))


@pytest.mark.parametrize(("version", "groups"), [("v1.35.4", ("kubeadm:cluster-admins",)), ("v1.36.0", ())])
def test_the_kubelet_client_has_a_group_before_1_36(
    cluster: ResolvedCluster, node: Node, version: str, groups: tuple[str, ...]
) -> None:
    versioned = replace(cluster, kubernetes_version=Version.parse(version))
    by_name = {request.name: request for request in leaf_requests(versioned, node)}
    assert by_name["apiserver-kubelet-client"].organizations == groups
    assert by_name["front-proxy-client"].organizations == ()


def test_periods_and_algorithm_come_from_the_config(cluster: ResolvedCluster, node: Node) -> None:
    short = replace(
        cluster,
        certificate_validity=timedelta(hours=1),
        ca_certificate_validity=timedelta(hours=2),
        encryption_algorithm="RSA-3072",
    )
    assert {request.validity for request in authority_requests(short)} == {timedelta(hours=2)}
    assert {request.validity for request in leaf_requests(short, node)} == {timedelta(hours=1)}
    everything = [
        *requests(short, node),
        *kubeconfig_requests(short, node),
        *key_pair_requests(short),
    ]
    assert {request.algorithm for request in everything} == {"RSA-3072"}


def test_descriptions_say_what_a_plan_shows(cluster: ResolvedCluster, node: Node) -> None:
    described = {request.name: request.describe() for request in requests(cluster, node)}
    assert described["etcd-server"] == {
        "certificate": "etcd-server",
        "subject": "CN=cp1",
        "sans": ["cp1", "localhost", "10.99.0.11", "127.0.0.1", "::1"],
        "usages": ["serverAuth", "clientAuth"],
        "signer": "etcd-ca",
        "lifetime": "8760h0m0s",
        "key": "ECDSA-P256",
    }
    assert described["ca"]["signer"] == "self"
    kubeconfigs = {request.name: request.describe() for request in kubeconfig_requests(cluster, node)}
    assert kubeconfigs["admin.conf"] == {
        "kubeconfig": "admin.conf",
        "server": "https://k8s.example.test:6443",
        "subject": "CN=kubernetes-admin, O=kubeadm:cluster-admins",
        "usages": ["clientAuth"],
        "signer": "ca",
        "lifetime": "8760h0m0s",
        "key": "ECDSA-P256",
    }
    assert key_pair_requests(cluster)[0].describe() == {"key pair": "sa", "key": "ECDSA-P256"}


def test_lifetimes_read_as_in_the_config() -> None:
    assert hours_text(timedelta(hours=2, minutes=3, seconds=4)) == "2h3m4s"
