"""flannel without a tunnel: plain routes from node to node, under both of kube-proxy's modes."""

from __future__ import annotations

import json

import pytest
from lab import nodes
from lab.topology import Node

from . import hostview

NETWORK = ("links", "routes", "rules")
BACKENDS = {
    "host-gw": ({"backend": "host-gw"}, [], "iptables"),
    "host-gw-nftables": ({"backend": "host-gw"}, [], "nftables"),
    # The tunnel is for nodes of other networks, which the lab has none of.
    "vxlan-direct": ({"directRouting": True, "vni": 7}, ["flannel.7"], "iptables"),
}


@pytest.mark.long
@pytest.mark.parametrize(("parameters", "links", "mode"), BACKENDS.values(), ids=BACKENDS)
def test_pods_are_reached_by_the_nodes_own_addresses(parameters, links, mode, cli, fleet, request):
    def backend(kinds):
        kinds["KubeProxyConfiguration"]["mode"] = mode
        spec = kinds["Cluster"]["spec"]
        others = [addon for addon in spec["addons"] if addon != "flannel"]
        spec["addons"] = [{"name": "flannel", "parameters": parameters}, *others]

    fleet.bare()
    before = {node.name: network(node) for node in fleet.lab.nodes}
    for sections in before.values():
        assert [link for link in sections["links"] if link.startswith(("flannel", "cni"))] == []

    cluster = fleet.cluster(workers=2, config=fleet.variant(request.node.callspec.id, backend))
    done = cli.run("verify", "--config", cluster.config, "--level", "cluster")
    assert "checks passed on 3 hosts" in done.out
    subnets = {
        name: cluster.kubectl("get", "node", name, "-o", "jsonpath={.spec.podCIDR}") for name in before
    }
    for node in cluster.nodes:
        assert tunnels(node) == links
        assert rules(node) == {mode}
        found = {
            peer.name: [(route["dst"], route.get("gateway")) for route in routes(node, subnets[peer.name])]
            for peer in cluster.nodes
            if peer != node
        }
        assert found == {
            peer.name: [(subnets[peer.name], peer.address)] for peer in cluster.nodes if peer != node
        }

    fleet.bare()
    left = {node.name: hostview.difference(before[node.name], network(node)) for node in cluster.nodes}
    assert left == {node.name: [] for node in cluster.nodes}


def network(node: Node) -> dict[str, list[str]]:
    seen = hostview.look(node)
    return {section: seen[section] for section in NETWORK}


def tunnels(node: Node) -> list[str]:
    # Links of other types are listed as empty objects.
    return [link["ifname"] for link in ip(node, "link", "show", "type", "vxlan") if link]


def rules(node: Node) -> set[str]:
    """Say in which form kube-proxy and flannel have left rules: each in the same, and in no other."""
    tables = nodes.exec(node, ["nft", "list", "tables"]).stdout
    chains = nodes.exec(node, ["iptables-save"]).stdout
    found = set()
    if "table ip kube-proxy" in tables or "flannel-ipv4" in tables:
        found.add("nftables")
    if "KUBE-SERVICES" in chains or "FLANNEL-POSTRTG" in chains:
        found.add("iptables")
    return found


def routes(node: Node, subnet: str):
    return ip(node, "route", "show", "exact", subnet)


def ip(node: Node, *argv: str):
    """Return what iproute2 says as JSON."""
    return json.loads(nodes.exec(node, ["ip", "-json", *argv]).stdout or "[]")
