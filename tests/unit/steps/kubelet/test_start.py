"""What a joining kubelet starts with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.steps.kubelet import start as kubelet_start

WORKER = Node("w1", Role.WORKER, ("10.0.0.21",))


@pytest.mark.parametrize(
    ("given", "live", "written"),
    [
        ("/etc/kubernetes/pki/ca.crt", {}, ["/etc/kubernetes/pki/ca.crt"]),
        (
            "/etc/kubernetes/pki/ca.crt",
            {"certificatesDir": "/etc/kubernetes/pki"},
            ["/etc/kubernetes/pki/ca.crt"],
        ),
        (
            "/etc/kubernetes/pki/ca.crt",
            {"certificatesDir": "/srv/pki"},
            ["/etc/kubernetes/pki/ca.crt", "/srv/pki/ca.crt"],
        ),
        ("/srv/own.crt", {"certificatesDir": "/srv/pki"}, ["/srv/own.crt", "/srv/pki/ca.crt"]),
        ("/srv/own.crt", {"certificatesDir": 5}, ["/srv/own.crt"]),
    ],
)
def test_the_ca_lies_where_the_clusters_kubelets_look_for_it(control_plane, given, live, written):
    joined = JoinedCluster("https://10.0.0.11:6443", b"ca", Secret("x"), {}, cluster_configuration=live)
    ctx = replace(
        control_plane,
        node=WORKER,
        cluster=replace(control_plane.cluster, ca_cert_path=given),
        verb="join",
        joined=joined,
    )
    specs = [
        spec for action in kubelet_start.plan(ctx) if isinstance(action, WriteFiles) for spec in action.files
    ]
    assert [spec.path for spec in specs if spec.content == b"ca"] == written
