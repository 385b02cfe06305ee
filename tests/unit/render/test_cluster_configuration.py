from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg, Component, Dns, Etcd, ExternalEtcd, ExtraVolume, LocalEtcd
from kubeadm_py.model.networking import Networking
from kubeadm_py.render.cluster_configuration import cluster_configuration


def test_what_is_not_set_is_left_out(cluster: ResolvedCluster) -> None:
    written = cluster_configuration(replace(cluster, networking=Networking()))
    assert written["networking"] == {"dnsDomain": "cluster.local", "serviceSubnet": "10.96.0.0/12"}
    assert "controlPlaneEndpoint" not in written
    assert "featureGates" not in written
    assert written["dns"] == written["proxy"] == written["scheduler"] == {}


def test_everything_that_is_set_is_written(cluster: ResolvedCluster) -> None:
    envs = ({"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},)
    local = LocalEtcd(
        image_repository="r.example",
        image_tag="3.6.9-0",
        data_dir="/srv/etcd",
        extra_args=(Arg("quota-backend-bytes", "8589934592"),),
        extra_envs=envs,
        server_cert_sans=("a.example",),
        peer_cert_sans=("b.example",),
    )
    component = Component(
        (Arg("v", "4"), Arg("v", "5")),
        (ExtraVolume("x", "/x", "/y", True, "File"), ExtraVolume("z", "/z", "/z")),
        envs,
    )
    written = cluster_configuration(
        replace(
            cluster,
            control_plane_endpoint="api.example:6443",
            feature_gates={"PublicKeysECDSA": True},
            dns=Dns("dns.example", "v1.14.9", disabled=True),
            proxy_disabled=True,
            etcd=Etcd(local),
            api_server=component,
            api_server_cert_sans=("api.example",),
            scheduler=component,
        )
    )
    as_written = {
        "extraArgs": [{"name": "v", "value": "4"}, {"name": "v", "value": "5"}],
        "extraVolumes": [
            {"name": "x", "hostPath": "/x", "mountPath": "/y", "readOnly": True, "pathType": "File"},
            {"name": "z", "hostPath": "/z", "mountPath": "/z"},
        ],
        "extraEnvs": list(envs),
    }
    assert written["apiServer"] == {**as_written, "certSANs": ["api.example"]}
    assert written["scheduler"] == as_written
    assert written["controlPlaneEndpoint"] == "api.example:6443"
    assert written["featureGates"] == {"PublicKeysECDSA": True}
    assert written["dns"] == {"imageRepository": "dns.example", "imageTag": "v1.14.9", "disabled": True}
    assert written["proxy"] == {"disabled": True}
    assert written["etcd"] == {
        "local": {
            "imageRepository": "r.example",
            "imageTag": "3.6.9-0",
            "dataDir": "/srv/etcd",
            "extraArgs": [{"name": "quota-backend-bytes", "value": "8589934592"}],
            "extraEnvs": list(envs),
            "serverCertSANs": ["a.example"],
            "peerCertSANs": ["b.example"],
        }
    }


def test_external_etcd_names_its_files_even_where_empty(cluster: ResolvedCluster) -> None:
    written = cluster_configuration(replace(cluster, etcd=Etcd(None, ExternalEtcd(("http://e:2379",)))))
    assert written["etcd"] == {
        "external": {"endpoints": ["http://e:2379"], "caFile": "", "certFile": "", "keyFile": ""}
    }


@pytest.mark.parametrize(
    ("skipped", "dns", "proxy"),
    [("addon", True, True), ("addon/coredns", True, False), ("addon/kube-proxy", False, True)],
)
def test_an_addon_that_init_skips_is_disabled(
    skipped: str, dns: bool, proxy: bool, cluster: ResolvedCluster
) -> None:
    written = cluster_configuration(replace(cluster, init_skip_phases=(skipped,)))
    assert (written["dns"].get("disabled", False), written["proxy"].get("disabled", False)) == (dns, proxy)
