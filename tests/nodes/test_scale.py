"""Many hosts at once, a few of them here: light ones, whose state is a real worker's; see `make bench`."""

from __future__ import annotations

import pytest
from lab import light, nodes

from bench import scale

pytestmark = pytest.mark.long

COUNT = 4
SYSCTLS = "/etc/sysctl.d/99-kubernetes.conf"


@pytest.fixture(scope="module")
def hosts(fleet):
    cluster = fleet.cluster(workers=1)
    made = scale.light_workers(fleet.lab, cluster.config, COUNT)
    yield made
    scale.unregister(fleet.lab, made)
    light.remove(fleet.lab)


@pytest.fixture
def config(fleet, hosts):
    # Anew for each test: nobody tells the cluster that these nodes still live.
    scale.register(fleet.lab, hosts)
    return scale.config_of(fleet.lab, fleet.config, hosts)


def test_there_is_nothing_to_do_on_hosts_that_are_as_the_file_says(cli, config):
    assert "nothing to do" in cli.run("plan", "--config", config).out
    done = cli.run("apply", "--config", config, "--format", "json")
    assert done.report["changed"] == 0
    looked = {event["host"] for event in done.events if event["type"] == "host-done"}
    assert len(looked) == COUNT + len(scale.REAL)


def test_the_one_that_differs_is_found(cli, config, hosts):
    nodes.exec(hosts[1], ["rm", SYSCTLS])
    said = cli.run("plan", "--config", config, code=4).out
    assert SYSCTLS in said
    assert hosts[1].name in said
    assert hosts[0].name not in said
