from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from kubeadm_py.errors import UsageError
from kubeadm_py.model.node import Role, Taint
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.verify.backend import testinfra_host as wrap
from kubeadm_py.verify.target import discover, live_cluster

CONFIG: dict[str, Any] = {
    "kubernetesVersion": "v1.36.3",
    "clusterName": "prod",
    "controlPlaneEndpoint": "k8s.example.test:6443",
    "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16", "dnsDomain": "corp.local"},
    "etcd": {"local": {"dataDir": "/srv/etcd"}},
    "apiServer": {"certSANs": ["api.corp"]},
    "certificatesDir": "/etc/kubernetes/pki",
}


def live_node(name: str, address: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "taints": [
                {"key": "gpu", "effect": "NoSchedule", "value": "yes"},
                {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            ]
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
        },
    }


NODES = [
    live_node("cp1", "10.99.0.11", **{"node-role.kubernetes.io/control-plane": ""}),
    live_node("w1", "10.99.0.21"),
    live_node("w2", "10.99.0.22"),
]


def hosts(*specs: tuple[str, str, bool], config: object = CONFIG) -> list[Any]:
    listed = []
    for name, address, control_plane in specs:
        host = FakeHost(name)
        host.answer("ip -o addr", f"127.0.0.1/8\n{address}/24\n" + ("yes\n" if control_plane else ""))
        text = json.dumps({"items": NODES}) + "\n--- kubeadm-config ---\n" + yaml.safe_dump(config)
        host.answer("get nodes -o json", text)
        listed.append(wrap(host))
    return listed


def test_a_live_cluster_is_described():
    cluster = live_cluster(NODES, CONFIG)
    assert [(node.name, node.role, node.addresses) for node in cluster.nodes] == [
        ("cp1", Role.CONTROL_PLANE, ("10.99.0.11",)),
        ("w1", Role.WORKER, ("10.99.0.21",)),
        ("w2", Role.WORKER, ("10.99.0.22",)),
    ]
    assert cluster.nodes[1].taints == (Taint("gpu", "NoSchedule", "yes"),)
    assert cluster.networking.dns_domain == "corp.local"
    assert cluster.etcd.local is not None
    assert cluster.etcd.local.data_dir == "/srv/etcd"
    assert (cluster.endpoint, cluster.api_server_cert_sans) == ("k8s.example.test:6443", ("api.corp",))


def test_external_etcd_and_switched_off_add_ons():
    config = {
        "etcd": {"external": {"endpoints": ["https://10.0.0.9:2379"]}},
        "dns": {"disabled": True},
        "proxy": {"disabled": True},
    }
    cluster = live_cluster(NODES, config)
    assert cluster.etcd.local is None
    assert cluster.etcd.external is not None
    assert (cluster.dns.disabled, cluster.proxy_disabled) == (True, True)


def test_hosts_are_matched_by_address():
    target = discover(hosts(("b", "10.99.0.21", False), ("a", "10.99.0.11", True)))
    assert [node.name for node in target.cluster.nodes] == ["cp1", "w1"]
    assert {name: host.backend.get_hostname() for name, host in target.hosts.items()} == {
        "cp1": "a",
        "w1": "b",
    }


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        ([("b", "10.99.0.21", False)], "none of the hosts has /etc/kubernetes/admin.conf"),
        ([("a", "10.99.0.11", True), ("x", "10.1.1.1", False)], "x is none of the cluster's nodes"),
    ],
)
def test_hosts_that_do_not_fit_are_refused(specs, says):
    with pytest.raises(UsageError, match=says):
        discover(hosts(*specs))


def test_a_cluster_that_does_not_answer():
    host = FakeHost("a").answer("ip -o addr", "10.99.0.11/24\nyes\n").answer("get nodes", "", exit_code=1)
    with pytest.raises(UsageError, match="does not tell"):
        discover([wrap(host)])


def test_output_that_is_no_text_does_not_break_a_check():
    host = wrap(FakeHost("a").answer("cat", b"caf\xc3\xa9 \xff\n"))
    assert host.run("cat %s", "/a b").stdout == "café �\n"
    assert host.run("cat %s", "/a b").command == b"cat '/a b'"
    assert host.backend.get_pytest_id() == "kubeadm-py://a"
