"""kube-proxy in its other modes."""

from __future__ import annotations

import pytest
from lab import nodes

from . import hostview


def mode(name):
    def edit(kinds):
        kinds["KubeProxyConfiguration"]["mode"] = name

    return edit


@pytest.mark.long
def test_services_work_with_nftables(cli, fleet):
    cluster = fleet.cluster(workers=1, config=fleet.variant("nftables", mode("nftables")))
    for node in cluster.nodes:
        tables = nodes.exec(node, ["nft", "list", "tables"]).stdout
        assert "table ip kube-proxy" in tables
        rules = nodes.exec(node, ["iptables-save"]).stdout
        assert "KUBE-SERVICES" not in rules
    # The config names w2 too, which did not join.
    cli.run("join", "--config", cluster.config, "--host", "w2")
    cli.run("verify", "--config", cluster.config, "--level", "cluster")


def test_ipvs_without_its_module_is_refused(cli, fleet):
    fleet.bare("cp1")
    node = fleet.control_plane
    before = hostview.look(node)
    done = cli.run("init", "--config", fleet.variant("ipvs", mode("ipvs")), code=3)
    assert hostview.difference(before, hostview.look(node)) == []
    assert "ip_vs" in done.text
