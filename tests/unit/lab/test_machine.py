"""What the lab reads off the machine that it runs on."""

import json

import pytest
from lab import machine, network, topology


def test_capability_is_read_from_the_bounding_set() -> None:
    assert machine.has_sys_resource("Name:\tbash\nCapBnd:\t000001ffffffffff\n")
    assert not machine.has_sys_resource("Name:\tbash\nCapBnd:\t000001fffeffffff\n")
    assert not machine.has_sys_resource("Name:\tbash\n")


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.53\nsearch example\n", ("192.0.2.53",)),
        ("nameserver 127.0.0.53\noptions edns0\n", ()),
        ("nameserver ::1\nnameserver 2001:db8::53\n", ("2001:db8::53",)),
        ("nameserver\n# nameserver 192.0.2.1\n", ()),
        ("", ()),
    ],
)
def test_loopback_name_servers_are_no_servers(text: str, servers: tuple[str, ...]) -> None:
    assert machine.nameservers(text) == servers


@pytest.mark.parametrize(
    ("destinations", "taken"),
    [
        (["default", "192.0.2.0/24"], None),
        (["10.99.0.0/24"], "10.99.0.0/24"),
        (["10.0.0.0/8"], "10.0.0.0/8"),
        (["10.99.0.77"], "10.99.0.77"),
    ],
)
def test_a_network_in_use_is_noticed(destinations: list[str], taken: str | None) -> None:
    routes = json.dumps([{"dst": destination} for destination in destinations])
    assert network.overlapping("10.99.0.0/24", routes) == taken


def test_labs_share_no_address() -> None:
    addresses = [topology.node(lab, name).address for lab in topology.NETWORKS for name in topology.NODES]
    addresses += [topology.gateway(lab) for lab in topology.NETWORKS]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("subnet", [topology.POD_SUBNET, topology.SERVICE_SUBNET])
def test_clusters_stay_off_the_labs_networks(subnet: str) -> None:
    for lab in topology.NETWORKS.values():
        assert network.overlapping(lab, json.dumps([{"dst": subnet}])) is None
