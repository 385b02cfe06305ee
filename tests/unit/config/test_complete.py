"""What only a host knows is filled in, or asked for where the host leaves no single answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.config.load import ConfigError, complete, from_init_flags, from_join_flags
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts, Interface

FACTS = HostFacts(
    hostname="CP1.Example",
    default_route_address="192.168.0.1",
    interfaces=(
        Interface("lo", addresses=("127.0.0.1/8",)),
        Interface("eth0", addresses=("192.168.0.1/24", "fe80::1/64")),
        Interface("eth1", addresses=("10.0.0.21/24",)),
        Interface("cni0", addresses=("10.244.0.1/24",)),
        Interface("eth2", addresses=("10.9.9.9/24",), up=False),
    ),
)


def joining(*hosts: str) -> ResolvedCluster:
    return from_join_flags(discovery_file=__file__, hosts=hosts)


def refusal(cluster: ResolvedCluster, **facts: HostFacts) -> str:
    with pytest.raises(ConfigError) as refused:
        complete(cluster, {name.replace("_", "."): value for name, value in facts.items()})
    return str(refused.value)


def test_this_machine_gets_its_name_address_and_runtime() -> None:
    (node,) = complete(from_init_flags(), {"": FACTS}).nodes
    assert (node.name, node.addresses, node.advertise_address) == (
        "cp1.example",
        ("192.168.0.1",),
        "192.168.0.1",
    )
    assert node.cri_socket == paths.CONTAINERD_SOCKET
    assert not node.name_from_host


def test_what_was_given_stays() -> None:
    cluster = from_init_flags(
        node_name="other",
        apiserver_advertise_address="10.0.0.21",
        cri_socket="unix:///run/crio/crio.sock",
    )
    two_runtimes = replace(FACTS, cri_sockets=("/run/a.sock", "/run/b.sock"))
    (node,) = complete(cluster, {"other": two_runtimes}).nodes
    assert (node.name, node.addresses) == ("other", ("10.0.0.21",))
    assert node.cri_socket == "unix:///run/crio/crio.sock"


def test_nodes_without_facts_stay_as_they_are() -> None:
    cluster = joining("w1", "w2")
    done = complete(cluster, {"w1": FACTS})
    assert done.nodes[0].name == "cp1.example"
    assert done.nodes[0].advertise_address == ""
    assert done.nodes[1] == cluster.nodes[1]


def test_the_typed_address_wins_over_the_default_route_where_the_host_has_it() -> None:
    assert complete(joining("10.0.0.21"), {"10.0.0.21": FACTS}).nodes[0].addresses == ("10.0.0.21",)
    assert complete(joining("10.0.0.99"), {"10.0.0.99": FACTS}).nodes[0].addresses == ("192.168.0.1",)


def test_one_address_is_enough_without_a_default_route() -> None:
    facts = replace(FACTS, default_route_address="", interfaces=FACTS.interfaces[:2])
    assert complete(joining("w1"), {"w1": facts}).nodes[0].addresses == ("192.168.0.1",)


def test_one_runtime_under_two_paths_is_one() -> None:
    facts = replace(FACTS, cri_sockets=("unix:///var/run/crio/crio.sock", "/run/crio/crio.sock"))
    assert complete(joining("w1"), {"w1": facts}).nodes[0].cri_socket == "unix:///run/crio/crio.sock"


def test_several_addresses_need_a_choice() -> None:
    facts = replace(FACTS, default_route_address="")
    assert "several addresses (192.168.0.1, 10.0.0.21); name the one to use" in refusal(
        joining("w1"), w1=facts
    )


def test_no_address_needs_one() -> None:
    facts = replace(FACTS, default_route_address="", interfaces=())
    assert "this machine: localAPIEndpoint.advertiseAddress" in refusal(from_init_flags(), **{"": facts})


def test_several_runtimes_need_a_choice() -> None:
    facts = replace(FACTS, cri_sockets=("/run/a.sock", "/run/b.sock"))
    assert "w1: nodeRegistration.criSocket" in refusal(joining("w1"), w1=facts)


@pytest.mark.parametrize("hostname", ["", "my_host", "x" * 300])
def test_a_host_name_that_is_no_node_name_is_said_to_be_one(hostname: str) -> None:
    assert "w1: nodeRegistration.name" in refusal(joining("w1"), w1=replace(FACTS, hostname=hostname))


def test_two_hosts_may_not_turn_out_to_be_the_same() -> None:
    said = refusal(joining("w1", "w2"), w1=FACTS, w2=FACTS)
    assert '"cp1.example" is the name of two hosts' in said
    assert '"192.168.0.1" is the address of two hosts' in said


def test_an_address_inside_the_pod_subnet_is_refused() -> None:
    said = refusal(from_init_flags(pod_network_cidr="192.168.0.0/16"), **{"": FACTS})
    assert "the address 192.168.0.1 lies inside podSubnet 192.168.0.0/16" in said


def test_an_address_inside_the_default_service_subnet_is_not() -> None:
    facts = replace(FACTS, default_route_address="10.99.0.11")
    assert complete(from_init_flags(), {"": facts}).nodes[0].addresses == ("10.99.0.11",)
