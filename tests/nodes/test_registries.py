"""Images from registries of one's own: one over plain HTTP, and one with a password and a CA of its own."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import nodes, topology

from .cli import Cli
from .conftest import LAB
from .fleet import Cluster, Fleet
from .registries import registry
from .workloads import BUSYBOX, apply, until, with_addons

pytestmark = pytest.mark.long

LOGIN = "puller:for-this-lab-only"
CERTS = "/etc/containerd/certs.d"
PUSHING = "/run/pushing-certs.d"


@dataclass(frozen=True)
class Shelves:
    """Two registries on the operator's machine, by name, and what it takes to get into the second."""

    plain: str
    private: str
    settings: dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Iterator[Shelves]:
    # The bridge whose address they listen on is there once the nodes are.
    assert fleet.lab.nodes
    open_, closed = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("private")
    login = closed / "login"
    login.touch(mode=0o600)
    login.write_text(LOGIN)
    here = topology.gateway(LAB)
    with (
        registry(open_, here, 5000) as plain,
        registry(closed, here, 5443, LOGIN, tls=True) as private,
    ):
        settings: dict[str, dict[str, object]] = {
            plain: {"plainHTTP": True},
            private: {"caFile": str(closed / "ca.crt"), "credentialsFile": str(login)},
        }
        yield Shelves(plain, private, settings)


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli, shelves: Shelves) -> Iterator[Cluster]:
    yield with_addons(fleet, cli, "registries", [], edit=knowing(shelves, shelves.plain))
    fleet.bare()


def knowing(shelves: Shelves, *names: str):
    def edit(kinds):
        kinds["Cluster"]["spec"]["registries"] = {name: shelves.settings[name] for name in names}

    return edit


def push(cluster: Cluster, registry: str, image: str, *flags: str) -> str:
    """Put busybox on a shelf, from the control plane with containerd's own client; forget it on the nodes."""
    reference = f"{registry}/{image}"
    ctr = "ctr -n k8s.io images"
    push = f"{ctr} push {' '.join(flags)} {reference}"
    script = f"{ctr} tag {BUSYBOX} {reference}; {push}; {ctr} rm {reference}"
    nodes.exec(cluster.control_plane, ["sh", "-euc", script])
    return reference


def runs(cluster: Cluster, name: str, image: str) -> None:
    """Have the worker pull an image, and run it."""
    container = {"name": "it", "image": image, "imagePullPolicy": "Always", "command": ["sleep", "3600"]}
    spec = {"nodeName": "w1", "terminationGracePeriodSeconds": 0, "containers": [container]}
    metadata = {"name": name, "namespace": "default"}
    apply(cluster, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s", timeout=150)


def test_a_pod_runs_from_a_registry_over_plain_http(cluster, shelves):
    reference = push(cluster, shelves.plain, "team/tool:1", "--plain-http")
    with urllib.request.urlopen(f"http://{shelves.plain}/v2/team/tool/tags/list", timeout=10) as answer:
        assert b'"1"' in answer.read()
    runs(cluster, "plain", reference)


def test_a_registry_that_the_file_does_not_know_is_not_trusted(cluster, shelves):
    image = f"{shelves.private}/team/tool:1"
    metadata = {"name": "stranger", "namespace": "default"}
    spec = {"nodeName": "w1", "containers": [{"name": "it", "image": image, "imagePullPolicy": "Always"}]}
    apply(cluster, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    said = until(
        lambda: cluster.kubectl("get", "events", "--field-selector=involvedObject.name=stranger"),
        lambda seen: "Failed to pull" in seen,
        120,
        "the pull fails",
    )
    assert "certificate signed by unknown authority" in said
    cluster.kubectl("delete", "pod", "stranger", "--now")


def test_a_registry_with_a_password_is_added_to_a_cluster_that_runs(cluster, shelves, cli, fleet, tmp_path):
    def containers() -> dict[str, str]:
        script = "crictl ps -q; systemctl show --property MainPID --value containerd"
        return {node.name: nodes.exec(node, ["sh", "-c", script]).stdout for node in cluster.nodes}

    def both(kinds):
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in ("cp1", "w1")]
        knowing(shelves, shelves.plain, shelves.private)(kinds)

    before = containers()
    config = fleet.variant("registries-both", both)
    applied = cli.run("apply", "--config", config, "-v", "5")
    assert LOGIN.partition(":")[2] not in applied.text
    assert containers() == before, "containerd reads them anew for each pull"
    for node in cluster.nodes:
        hosts = f"{CERTS}/{shelves.private}/hosts.toml"
        assert nodes.exec(node, ["stat", "-c", "%a %U", hosts]).stdout.split() == ["600", "root"]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"https://{shelves.private}/v2/", timeout=10)
    # What the product writes is for pulls; the same with leave to push goes to a place of the test's own.
    more = f'cp -r {CERTS} {PUSHING}; sed -i \'s/"resolve"]/"resolve", "push"]/\' {PUSHING}/*/hosts.toml'
    nodes.exec(cluster.control_plane, ["sh", "-euc", more])
    reference = push(cluster, shelves.private, "team/tool:1", "--hosts-dir", PUSHING)
    runs(cluster, "private", reference)
    assert "nothing changed" in cli.run("apply", "--config", config).out
    kept = Path(config).read_text()
    assert LOGIN.partition(":")[2] not in kept
