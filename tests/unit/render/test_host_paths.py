from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd, ExtraVolume
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.versions import Version
from kubeadm_py.render import host_paths
from kubeadm_py.render.host_paths import HostPath


def named(found: list[HostPath]) -> dict[str, str]:
    return {path.name: path.host_path for path in found}


def with_external_etcd(cluster: ResolvedCluster, ca: str, cert: str = "", key: str = "") -> ResolvedCluster:
    return replace(cluster, etcd=Etcd(None, ExternalEtcd(("https://e:2379",), (), ca, cert, key)))


def test_trust_stores_are_mounted_where_the_host_has_them(cluster: ResolvedCluster) -> None:
    facts = HostFacts(directories=dict.fromkeys((*paths.CA_CERTIFICATE_DIRS, "/srv"), 1))
    expected = {
        "k8s-certs": "/etc/kubernetes/pki",
        "ca-certs": "/etc/ssl/certs",
        "etc-ca-certificates": "/etc/ca-certificates",
        "etc-pki-ca-trust": "/etc/pki/ca-trust",
        "etc-pki-tls-certs": "/etc/pki/tls/certs",
        "usr-local-share-ca-certificates": "/usr/local/share/ca-certificates",
        "usr-share-ca-certificates": "/usr/share/ca-certificates",
    }
    assert named(host_paths.kube_apiserver(cluster, facts)) == expected
    controller_manager = named(host_paths.kube_controller_manager(cluster, facts))
    assert controller_manager == {**expected, "kubeconfig": "/etc/kubernetes/controller-manager.conf"}


def test_a_host_without_trust_stores_gets_none(cluster: ResolvedCluster) -> None:
    assert named(host_paths.kube_apiserver(cluster, HostFacts())) == {
        "k8s-certs": "/etc/kubernetes/pki",
        "ca-certs": "/etc/ssl/certs",
    }


@pytest.mark.parametrize(
    ("ca", "cert", "key", "mounted"),
    [
        ("/etc/kubernetes/pki/etcd/ca.crt", "/etc/kubernetes/pki/c.crt", "/etc/kubernetes/pki/c.key", []),
        ("/etc/ssl/certs/etcd.pem", "", "", []),
        ("/etc/pki/tls/certs/deep/etcd.pem", "", "", []),
        ("/srv/etcd/ca.crt", "/srv/etcd/client.crt", "/srv/etcd/client.key", ["/srv/etcd"]),
        ("/srv/b/ca.crt", "/srv/a/client.crt", "/srv/a/client.key", ["/srv/a", "/srv/b"]),
        ("/srv/etcd/ca.crt", "/srv/etcd/tls/client.crt", "/srv/etcd/tls/client.key", ["/srv/etcd"]),
        ("/srv/e/ca.crt", "/srv/e-client/c.crt", "/srv/e-client/c.key", ["/srv/e", "/srv/e-client"]),
        ("/etc/kubernetes/pki-etcd/ca.crt", "", "", ["/etc/kubernetes/pki-etcd"]),
        ("", "", "", []),
    ],
)  # fmt: skip
def test_external_etcds_files_are_mounted_once(
    cluster: ResolvedCluster, ca: str, cert: str, key: str, mounted: list[str]
) -> None:
    facts = HostFacts(directories={"/etc/pki/tls/certs": 1})
    found = host_paths.kube_apiserver(with_external_etcd(cluster, ca, cert, key), facts)
    etcd = {path.name: path for path in found if path.name.startswith("etcd-certs")}
    assert named(list(etcd.values())) == {f"etcd-certs-{n}": path for n, path in enumerate(mounted)}
    assert all(path.read_only and path.kind == "DirectoryOrCreate" for path in etcd.values())


def test_a_certificates_directory_of_ones_own_is_mounted(cluster: ResolvedCluster) -> None:
    own = replace(with_external_etcd(cluster, "/etc/kubernetes/pki/etcd/ca.crt"), certificates_dir="/srv/pki")
    assert named(host_paths.kube_apiserver(own, HostFacts())) == {
        "k8s-certs": "/srv/pki",
        "ca-certs": "/etc/ssl/certs",
        "etcd-certs-0": "/etc/kubernetes/pki/etcd",
    }


@pytest.mark.parametrize(
    ("version", "mounted"), [("v1.35.4", True), ("v1.36.0-rc.1", False), ("v1.36.3", False)]
)
def test_flex_volumes_are_gone_since_1_36(cluster: ResolvedCluster, version: str, mounted: bool) -> None:
    older = replace(cluster, kubernetes_version=Version.parse(version))
    found = {path.name: path for path in host_paths.kube_controller_manager(older, HostFacts())}
    assert ("flexvolume-dir" in found) is mounted
    if mounted:
        assert found["flexvolume-dir"].host_path == "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"
        assert not found["flexvolume-dir"].read_only


def test_extra_volumes_are_sorted_in_and_replace_defaults_of_their_name() -> None:
    extra = [
        ExtraVolume("kubeconfig", "/srv/scheduler.conf", "/etc/kubernetes/scheduler.conf", True, "File"),
        ExtraVolume("audit", "/var/log/k8s", "/logs"),
    ]
    merged = host_paths.merge(host_paths.kube_scheduler(), extra)
    assert [path.volume() for path in merged] == [
        {"name": "audit", "hostPath": {"path": "/var/log/k8s", "type": ""}},
        {"name": "kubeconfig", "hostPath": {"path": "/srv/scheduler.conf", "type": "File"}},
    ]
    assert [path.mount() for path in merged] == [
        {"name": "audit", "mountPath": "/logs"},
        {"name": "kubeconfig", "mountPath": "/etc/kubernetes/scheduler.conf", "readOnly": True},
    ]
