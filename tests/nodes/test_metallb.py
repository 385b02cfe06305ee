"""metallb in layer 2, asked from a machine that is no node: addresses are given, answered, and move."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from lab import nodes, topology
from lab.process import run

from .cli import Cli
from .conftest import LAB
from .fleet import Cluster, Fleet
from .workloads import apply, fetch, rolled_out, round_trips, until, upstream_types, web, with_addons

pytestmark = pytest.mark.long

FIRST, LAST = topology.address(LAB, 200), topology.address(LAB, 209)
WITHIN = 90.0


CONVERSION = {
    "strategy": "Webhook",
    "webhook": {
        "conversionReviewVersions": ["v1beta1", "v1beta2"],
        "clientConfig": {
            "service": {"name": "metallb-webhook-service", "namespace": "metallb-system", "path": "/convert"}
        },
    },
}
"""What upstream's published manifest says of BGPPeer beside its bare type: the controller insists on it."""


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    types = [each for each in yaml.safe_load_all(upstream_types("metallb").read_text()) if each]
    [peers] = (each for each in types if each["metadata"]["name"] == "bgppeers.metallb.io")
    peers["spec"]["conversion"] = CONVERSION
    published = tmp_path_factory.mktemp("types") / "metallb.yaml"
    published.write_text(yaml.safe_dump_all(types))
    parameters = {"addresses": [f"{FIRST}-{LAST}"], "crds": {"metallb": str(published)}}
    addon = {"name": "metallb", "parameters": parameters}
    yield with_addons(fleet, cli, "metallb", [addon], built=["metallb"], hosts=("cp1", "w1", "w2"))
    fleet.bare()


def address_of(cluster: Cluster, service: str) -> str:
    return until(
        lambda: cluster.kubectl(
            "get", "service", service, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"
        ),
        bool,
        WITHIN,
        f"{service} has an address",
    )


def neighbour(address: str) -> str:
    """Return the hardware address that answered this machine for an address."""
    said = run(["ip", "-json", "neigh", "show", address])
    return next((each.get("lladdr", "") for each in json.loads(said or "[]")), "")


def hardware(node) -> str:
    return nodes.exec(node, ["cat", "/sys/class/net/eth0/address"]).stdout.strip()


@pytest.mark.runs_addon("metallb")
def test_a_service_is_reached_from_outside_by_the_address_it_got(cluster):
    apply(cluster, *web("web", replicas=2, kind="LoadBalancer"))
    rolled_out(cluster, "web")
    address = address_of(cluster, "web")
    assert address == FIRST
    answer = until(lambda: fetch(address, 80, address, "/hostname"), bool, WITHIN, "the address is answered")
    assert answer.text.startswith("web-")
    assert neighbour(address) in {hardware(node) for node in cluster.nodes}


def test_each_service_has_an_address_of_its_own_and_the_webhook_refuses_nonsense(cluster):
    apply(cluster, *web("other", kind="LoadBalancer"))
    assert address_of(cluster, "other") == topology.address(LAB, 201)
    overlapping = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "again", "namespace": "metallb-system"},
        "spec": {"addresses": [f"{FIRST}-{FIRST}"]},
    }
    with pytest.raises(Exception, match="overlap"):
        apply(cluster, overlapping)


def test_the_address_moves_when_the_node_that_answers_dies(cluster):
    address = address_of(cluster, "web")
    before = neighbour(address)
    by_hardware = {hardware(node): node for node in cluster.nodes}
    lost = by_hardware[before]
    if lost == cluster.control_plane:
        pytest.skip("the control plane answers: killing it would end the test's own way to the cluster")
    run(["docker", "kill", lost.container])
    try:

        def answers() -> str:
            answer = fetch(address, 80, address, "/hostname", within=2)
            return neighbour(address) if answer else ""

        after = until(answers, lambda seen: seen not in ("", before), 3 * WITHIN, "another node answers")
        assert after in by_hardware
    finally:
        run(["docker", "start", lost.container])
    until(cluster.node_names, lambda seen: lost.name in seen, WITHIN, "the node is back")
    cluster.kubectl("wait", "--for=condition=Ready", f"node/{lost.name}", "--timeout=180s", timeout=200)


def test_a_second_apply_changes_nothing_and_less_addresses_are_taken_back(cluster, cli):
    with round_trips(cluster) as made:
        assert "nothing changed" in cli.run("apply", "--config", cluster.config).out
        # All that three add-ons cost, types, webhooks and custom resources among them, is one to the leader.
        trips = made()
    assert trips.pop("cp1") <= 4
    assert max(trips.values()) <= 3
    cluster.kubectl("delete", "service", "web", "other")
    until(lambda: fetch(FIRST, 80, FIRST, within=2), lambda seen: seen is None, WITHIN, "nobody answers")
