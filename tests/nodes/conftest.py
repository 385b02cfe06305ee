"""Give node tests their nodes and clusters, in an order that lets them share both.

The session's nodes are brought up once and stay warm; a cluster that runs is taken over by the next test
that it fits. A test that fails leaves what explains it in .collected/<test>/. KPY_KEEP=1 keeps the nodes at
the end.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import collect, nodes

from .cli import Cli
from .fleet import ADMIN, Cluster, Fleet

LAB = "test"
NODES = ("cp1", "w1", "w2")
COLLECTED = Path(__file__).parent / ".collected"
ORDER = (
    "test_journey",  # from bare nodes; leaves a cluster of all three
    "test_plan",  # changes by hand, and puts back
    "test_scale",  # light hosts beside cp1 and w1, and gone again
    "test_breakages",
    "test_token_join",  # w2 comes and goes
    "test_interop",
    "test_own_files",
    "test_reset",
    "test_refusals",
    "test_transport",
    "test_failure",  # new control planes
    "test_static_volumes",  # leaves the cluster as it was
    "test_addon_objects",  # the same
    "test_addons",  # changes the kubelets' configuration; leaves bare nodes
    "test_metrics",  # each of these brings up a cluster with the add-on, and leaves bare nodes
    "test_traefik",
    "test_metallb",
    "test_dashboard",
    "test_registries",
    "test_host_containerd",  # w1 anew, and anew again after it
    "test_rendered_storage",  # w1 anew with more packages, and anew again after it
    "test_shared_storage",  # on new nodes with more packages, and new ones again after it
    "test_proxy_modes",
    "test_pod_routes",
    "test_ecdsa",
    "test_topologies",
    "test_on_machine",  # all three bare, before and after
    "test_reset_cut",  # the same
    "test_reset_hard",  # the same; brings two more control planes up
    "test_certs",  # the one that runs at first, then one of three control planes
    "test_external_ca",
    "test_control_planes",
    "test_serving",  # brings two more control planes up
    "test_apply",  # brings two more control planes up
    "test_rolling",  # the same
    "test_endpoint_moves",  # the same
    "test_etcd_hosts",  # brings one up, and three hosts for etcd
    "test_endpoint",  # the same
    "test_bundles",  # two bare nodes without a way out, before and after
    "test_crash",  # five nodes, again and again
)
"""Modules in the order in which each finds most of what it needs."""

_SESSION = pytest.StashKey[Cli]()
_BEGAN = pytest.StashKey[int]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in here:
        item.add_marker(pytest.mark.nodes)

    def place(item: pytest.Item) -> tuple[bool, int]:
        known = item.path.stem in ORDER
        # What needs fresh nodes comes last: nobody shares with it.
        destructive = item.get_closest_marker("destructive") is not None
        return destructive, ORDER.index(item.path.stem) if known else len(ORDER)

    here.sort(key=place)
    items[:] = [item for item in items if item not in set(here)] + here


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Collect before anything is torn down."""
    report = yield
    if report.failed and call.when in ("setup", "call") and _SESSION in item.session.stash:
        folder = COLLECTED / re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{item.path.stem}.{item.name}")
        _collect(folder, item.session.stash[_SESSION], item.stash.get(_BEGAN, 0))
        report.sections.append(("collected", str(folder)))
    return report


def _collect(folder: Path, cli: Cli, began: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "runs.txt").write_text("\n".join(map(str, cli.history[began:])))
    collect.collect(LAB, folder)
    kubectl = f"kubectl --kubeconfig {ADMIN} --request-timeout=10s"
    questions = f"{kubectl} get nodes,pods -A -o wide; {kubectl} get events -A --sort-by=.lastTimestamp"
    for node in nodes.running(LAB):
        if node.role == "control-plane":
            asked = nodes.exec(node, ["sh", "-c", questions], check=False)
            (folder / node.name / "objects.txt").write_text(asked.stdout + asked.stderr)
    logs = cli.home / "state"
    if logs.exists():
        shutil.copytree(logs, folder / "operator", ignore=shutil.ignore_patterns("*.conf"))


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Cli:
    """The command, run by an operator with an empty home."""
    made = Cli(tmp_path_factory.mktemp("operator"))
    request.session.stash[_SESSION] = made
    return made


@pytest.fixture(scope="session")
def fleet(cli: Cli, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Fleet]:
    """The session's nodes."""
    lab = nodes.up(LAB, NODES)
    assert pytestconfig.cache is not None
    yield Fleet(lab, cli, tmp_path_factory.mktemp("configs"), pytestconfig.cache)
    if os.environ.get("KPY_KEEP") != "1":
        nodes.down(LAB)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, fleet: Fleet) -> Cluster:
    """The cluster that the test's mark `cluster` asks for."""
    mark = request.node.get_closest_marker("cluster")
    assert mark is not None, "the test needs @pytest.mark.cluster(workers=N)"
    assert mark.kwargs.get("control_plane", 1) == 1, "there is one control plane so far"
    return fleet.cluster(mark.kwargs.get("workers", 1))


@pytest.fixture(autouse=True)
def _add_ons_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold the mark runs_addon against the cluster: it has those add-ons."""
    yield
    mark = request.node.get_closest_marker("runs_addon")
    if mark is not None:
        fleet: Fleet = request.getfixturevalue("fleet")
        label = "kubeadm-py.io/addon"
        script = f"kubectl --kubeconfig {ADMIN} get cm -n kube-system -l kubeadm-py.io/inventory=addon"
        asked = f"{script} -o jsonpath='{{.items[*].metadata.labels.kubeadm-py\\.io/addon}}'"
        found = nodes.exec(fleet.control_plane, ["sh", "-c", asked]).stdout.split()
        assert set(mark.args) <= set(found), f"{label}: {found}"


@pytest.fixture(autouse=True)
def _begin(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remember where the test's own commands begin, and renew the nodes that it spoils."""
    session = request.session.stash
    request.node.stash[_BEGAN] = len(session[_SESSION].history) if _SESSION in session else 0
    yield
    if request.node.get_closest_marker("destructive") is not None:
        fleet: Fleet = request.getfixturevalue("fleet")
        for node in fleet.lab.nodes:
            nodes.fresh(node)
