"""Share the test pods, and let plain `pytest --pyargs kubeadm_py.verify.suite` find the plugin."""

from __future__ import annotations

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.verify import network, objects, plugin, storage
from kubeadm_py.verify.playground import Playground


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin)


@pytest.fixture(scope="session")
def started(playground: Playground, cluster: ResolvedCluster) -> Playground:
    """Make the pods that checks share; they start while other things are looked at."""
    made = objects.network(playground.namespace, len(cluster.members))
    if not storage.obstacle(playground.kubectl, cluster):
        made += objects.volume(playground.namespace)
    playground.create(made)
    return playground


@pytest.fixture(scope="session")
def servers(started: Playground) -> list[network.Server]:
    """Return the test servers, one a node at least."""
    return network.servers(started.get("pods")["items"])
