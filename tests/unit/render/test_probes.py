"""Where a component answers: what its manifest's probes ask, and what our own waits ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg, Component, LocalEtcd
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node
from kubeadm_py.render import probes, static_pods


def args(**given: str) -> tuple[Arg, ...]:
    return tuple(Arg(name.replace("_", "-"), value) for name, value in given.items())


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://127.0.0.1:10259"),
        ({"bind_address": "10.99.1.11"}, "https://10.99.1.11:10259"),
        ({"bind_address": "0.0.0.0"}, "https://10.99.0.11:10259"),
        ({"bind_address": "::"}, "https://10.99.0.11:10259"),
        ({"bind_address": "::1"}, "https://[::1]:10259"),
        ({"secure_port": "11259"}, "https://127.0.0.1:11259"),
        ({"secure_port": "0"}, "https://127.0.0.1:10259"),
        ({"secure_port": "many"}, "https://127.0.0.1:10259"),
    ],
)
def test_a_component_is_asked_where_it_listens(
    cluster: ResolvedCluster, node: Node, given: dict[str, str], url: str
) -> None:
    component = Component(args(**given))
    own = replace(cluster, scheduler=component, controller_manager=component)
    assert probes.kube_scheduler(own).url(node) == url
    manager = probes.kube_controller_manager(own)
    assert manager.url(node) == url.replace("10259", "10257")
    (rendered,) = static_pods.pods(own, node, HostFacts())["kube-controller-manager"]["spec"]["containers"]
    assert rendered["startupProbe"]["httpGet"].get("host", "") == manager.host
    assert rendered["ports"][0]["containerPort"] == manager.port


def test_the_api_server_is_asked_where_everything_else_asks_it(node: Node) -> None:
    assert probes.kube_apiserver(node).url(node) == "https://10.99.0.11:6443"
    nat = replace(node, advertise_address="fd00::1", bind_port=7443)
    assert probes.kube_apiserver(nat).url(nat) == "https://[fd00::1]:7443"


@pytest.mark.parametrize(
    ("urls", "advertise", "url"),
    [
        (None, "", "https://127.0.0.1:2379"),
        (None, "fd00::1", "https://[::1]:2379"),
        ("https://10.0.0.1:12379,https://127.0.0.1:2379", "", "https://10.0.0.1:12379"),
        ("https://0.0.0.0:2379", "", "https://127.0.0.1:2379"),
        ("https://[::]:12379", "", "https://127.0.0.1:12379"),
        ("unix://etcd.sock", "", "https://127.0.0.1:2379"),
        ("http://localhost:12379", "", "http://localhost:12379"),
    ],
)
def test_etcds_clients_ask_where_it_listens(node: Node, urls: str | None, advertise: str, url: str) -> None:
    local = LocalEtcd(extra_args=args(listen_client_urls=urls) if urls else ())
    own = replace(node, advertise_address=advertise)
    assert probes.etcd_clients(local, own).url(own) == url
