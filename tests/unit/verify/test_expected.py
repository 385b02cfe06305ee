from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.model.cluster import AddonRequest, LoadBalancer
from kubeadm_py.model.components import Arg, Component, Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.verify import expected

GOLDEN = Path(__file__).parents[2] / "golden" / "kubeadm"


def paths_and_modes(files):
    return {file.path: (f"{file.mode:o}", file.owner) for file in files}


@pytest.mark.parametrize("case", ["stacked", "external-etcd"])
def test_modes_are_kubeadms_own(case, cluster):
    recorded = {}
    for line in (GOLDEN / case / "modes.txt").read_text().splitlines():
        mode, owner, path = line.split()
        recorded[path] = (mode, owner)
    if case == "external-etcd":
        cluster = replace(cluster, etcd=Etcd(local=None, external=ExternalEtcd(("https://10.0.0.9:2379",))))
    found = paths_and_modes(expected.files(cluster, cluster.nodes[0]))
    for path, wanted in recorded.items():
        assert found[path] == wanted, path
    extra = {"/var/lib/kubelet/pki/kubelet-client-current.pem", "/var/lib/etcd"}
    assert set(found) - set(recorded) <= extra


def test_a_worker_carries_no_keys_but_its_own(cluster):
    found = paths_and_modes(expected.files(cluster, cluster.nodes[1]))
    assert found == {
        "/var/lib/kubelet/config.yaml": ("644", "root:root"),
        "/var/lib/kubelet/instance-config.yaml": ("644", "root:root"),
        "/var/lib/kubelet/kubeadm-flags.env": ("644", "root:root"),
        "/etc/kubernetes/kubelet.conf": ("600", "root:root"),
        "/var/lib/kubelet/pki/kubelet-client-current.pem": ("600", "root:root"),
        "/etc/kubernetes/pki/ca.crt": ("644", "root:root"),
    }
    assert expected.key_pairs(cluster, cluster.nodes[1]) == []
    assert [request.common_name for request in expected.certificates(cluster, cluster.nodes[1])] == [
        "system:node:w1"
    ]


def test_a_kubelet_that_keeps_its_certificates_elsewhere(cluster):
    """The last flag is the one that it obeys."""
    elsewhere = (Arg("cert-dir", "/srv/first"), Arg("cert-dir", "/srv/pki"))
    node = replace(cluster.nodes[1], kubelet_extra_args=elsewhere)
    listed = {file.path for file in expected.files(cluster, node)}
    assert [path for path in listed if path.endswith("-current.pem")] == [
        "/srv/pki/kubelet-client-current.pem"
    ]
    (request,) = expected.certificates(cluster, node)
    assert expected.certificate_file(request) == "/srv/pki/kubelet-client-current.pem"


def ports(cluster, node):
    return {port.port: port.loopback_only for port in expected.listening(cluster, node)}


def test_ports_of_each_role(cluster):
    control_plane, worker = cluster.nodes
    assert ports(cluster, worker) == {10250: False, 10248: True}
    assert ports(cluster, control_plane) == {
        10250: False,
        10248: True,
        6443: False,
        10257: True,
        10259: True,
        2379: False,
        2380: False,
        2381: True,
    }


def test_balancers_have_files_and_ports(cluster):
    control_plane, worker = cluster.nodes
    local = replace(
        cluster, control_plane_endpoint="api.demo.internal:6443", load_balancer=LoadBalancer.NODE_LOCAL
    )
    assert ports(local, worker) == {10250: False, 10248: True, 6443: True, 10270: True}
    assert 10270 not in ports(local, control_plane)
    found = paths_and_modes(expected.files(local, worker))
    assert found["/etc/kubernetes/manifests/haproxy.yaml"] == ("600", "root:root")
    vip = replace(cluster, control_plane_endpoint="10.99.0.100:8443", load_balancer=LoadBalancer.VIP)
    assert ports(vip, control_plane)[8443] is False
    assert 8443 not in ports(vip, worker)
    found = paths_and_modes(expected.files(vip, control_plane))
    assert found["/etc/kubernetes/keepalived/check"] == ("755", "root:root")


def test_ports_follow_the_config(cluster):
    node = replace(cluster.nodes[0], bind_port=8443)
    changed = replace(
        cluster,
        kubelet_config={"port": 10350, "healthzPort": 0},
        scheduler=Component(extra_args=(Arg("bind-address", "0.0.0.0"),)),
        etcd=Etcd(local=LocalEtcd(extra_args=(Arg("listen-metrics-urls", "http://0.0.0.0:2381"),))),
    )
    found = ports(changed, node)
    assert 10248 not in found
    assert 8443 in found
    assert (found[10350], found[10259], found[10257], found[2381]) == (False, False, True, False)
    moved = replace(
        cluster,
        controller_manager=Component(extra_args=(Arg("secure-port", "11257"),)),
        etcd=Etcd(
            local=LocalEtcd(
                extra_args=(
                    Arg("listen-client-urls", "https://10.0.0.11:12379"),
                    Arg("listen-metrics-urls", "http://127.0.0.1:12381"),
                )
            )
        ),
    )
    found = ports(moved, node)
    assert {11257, 12379, 12381} <= found.keys()
    assert not {10257, 2379, 2381} & found.keys()
    bound = replace(cluster, kubelet_config={"healthzBindAddress": "0.0.0.0"})
    assert ports(bound, cluster.nodes[1])[10248] is False


def test_external_etcd_has_no_port_here(cluster):
    external = replace(cluster, etcd=Etcd(local=None, external=ExternalEtcd(("https://10.0.0.9:2379",))))
    assert 2379 not in ports(external, cluster.nodes[0])


def test_sysctls_follow_the_families(cluster):
    assert "net.ipv6.conf.all.forwarding" not in expected.sysctls(cluster)
    dual = replace(cluster, networking=Networking(pod_subnet="10.244.0.0/16,fd00:10:244::/56"))
    assert expected.sysctls(dual)["net.ipv6.conf.all.forwarding"] == "1"


def test_the_runtime_is_the_sockets(cluster):
    assert expected.units(cluster.nodes[0]) == ["containerd.service", "kubelet.service"]
    crio = Node("w9", Role.WORKER, ("10.0.0.9",), cri_socket="unix:///var/run/crio/crio.sock")
    assert expected.units(crio)[0] == "crio.service"


@pytest.mark.parametrize(
    ("addons", "promised"),
    [
        ((), None),
        ((AddonRequest("local-path-storage"),), None),
        ((AddonRequest("flannel"),), False),
        ((AddonRequest("calico"),), True),
        ((AddonRequest("weave"),), True),
        ((AddonRequest("weave", {"networkPolicy": False}),), False),
    ],
)
def test_the_pod_network_says_whether_policies_are_enforced(addons, promised, cluster):
    assert expected.enforces_policy(replace(cluster, addons=addons)) is promised
