"""A worker that has containerd 1.7 of its own, beside a control plane that gets ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import components, gobuild, nodes
from lab.process import run
from lab.topology import Node

from .cli import Cli
from .fleet import Cluster, Documents, Fleet
from .registries import TOOLS

pytestmark = pytest.mark.long

UNIT_FILE = "/lib/systemd/system/containerd.service"
UNIT = """\
[Unit]
Description=containerd of the distribution
After=network.target

[Service]
Type=notify
Delegate=yes
KillMode=process
ExecStart=/usr/bin/containerd

[Install]
WantedBy=multi-user.target
"""
CONFIG_FILE = "/etc/containerd/config.toml"
CONFIG = 'version = 2\n\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n'
"""As a distribution lays it there: without the cgroup driver that a node needs."""


@pytest.fixture(scope="module")
def host(fleet: Fleet) -> Iterator[Node]:
    """A bare worker with containerd 1.7 as a package would have brought it, running."""
    fleet.bare(artifacts=False)
    worker = fleet.node("w1")
    component = components.load(TOOLS)["containerd-1.7"]
    folder = gobuild.build(component)
    for name in component.binaries:
        run(["docker", "cp", str(folder / name), f"{worker.container}:/usr/bin/{name}"])
    nodes.exec(worker, ["sh", "-c", f"cat >{UNIT_FILE}"], stdin=UNIT)
    nodes.exec(worker, ["sh", "-c", f"mkdir -p /etc/containerd; cat >{CONFIG_FILE}"], stdin=CONFIG)
    nodes.exec(worker, ["systemctl", "enable", "--now", "containerd.service"])
    yield worker
    fleet.bare(artifacts=False)
    nodes.fresh(worker)


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli, host: Node) -> Cluster:
    def two(kinds: Documents) -> None:
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [each for each in spec["hosts"] if each["name"] in ("cp1", host.name)]

    return fleet.cluster(workers=1, config=fleet.variant("host-containerd", two))


def version(node: Node) -> str:
    return nodes.exec(node, ["containerd", "--version"]).stdout.split()[2]


def test_it_is_kept_configured_and_runs_pods(cluster, host, cli):
    assert version(host).startswith("v1.7.")
    assert version(cluster.control_plane).startswith("v2.")
    written = nodes.exec(host, ["cat", CONFIG_FILE]).stdout
    assert "version = 2\n" in written
    assert "SystemdCgroup = true" in written
    assert nodes.exec(host, ["cat", UNIT_FILE]).stdout == UNIT
    asked = ("get", "node", host.name, "-o", "jsonpath={.status.nodeInfo.containerRuntimeVersion}")
    assert cluster.kubectl(*asked).startswith("containerd://1.7.")
    cli.run("verify", "--config", cluster.config, "--level", "workloads", within=600)


def test_its_age_is_a_warning_and_a_second_run_changes_nothing(cluster, host, cli):
    said = cli.run("preflight", "--config", cluster.config).text
    assert "kubelets will soon need" in said
    config = cluster.config
    assert "nothing changed" in cli.run("join", "--config", config, "--host", host.name).out


def test_reset_leaves_it_running_as_it_was(cluster, host, fleet):
    fleet.reset(host.name, artifacts=False)
    assert nodes.exec(host, ["cat", CONFIG_FILE]).stdout == CONFIG
    assert nodes.exec(host, ["systemctl", "is-active", "containerd.service"]).stdout.strip() == "active"
    assert nodes.exec(host, ["ctr", "-n", "k8s.io", "images", "ls", "-q"]).stdout.strip() == ""
    assert nodes.exec(host, ["ctr", "-n", "k8s.io", "containers", "ls", "-q"]).stdout.strip() == ""
