"""Each kind of endpoint on three control planes: one is killed while clients ask, and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from lab import nodes, topology
from lab.nodes import Lab
from lab.process import LabError
from lab.topology import Node

from . import balancer, hostview
from .asking import SILENT_SECONDS, Client, failed_twice, longest_silence, shell
from .cli import Cli
from .conftest import LAB
from .conftest import NODES as USUAL
from .fleet import ADMIN, Fleet
from .test_apply import ETCDCTL

pytestmark = pytest.mark.long

CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2")
VIP = topology.address(LAB, 100)
KINDS = {
    "node-local": {"loadBalancer": "node-local"},
    "vip": {"loadBalancer": "vip", "vip": VIP},
    "vip-balanced": {"loadBalancer": "vip", "vip": VIP, "port": 8443},
    "external": {"loadBalancer": "external"},
}
BALANCER = "w2"
"""Where the external balancer runs: a host that is not killed."""
WITHOUT_ETCD = "/version"
BACK_SECONDS = 120
ONE_TRY = 1.0
"""What a client may lose by a try at an API server whose etcd has no leader yet."""
DOWN_SECONDS = 20


@pytest.fixture(scope="module")
def lab(fleet: Fleet) -> Iterator[Lab]:
    yield nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    nodes.up(LAB, USUAL)


@pytest.fixture(scope="module", params=KINDS)
def config(
    request: pytest.FixtureRequest,
    lab: Lab,
    fleet: Fleet,
    cli: Cli,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """Bring the cluster up with this kind of endpoint, and take it down."""
    fleet.bare()
    folder = tmp_path_factory.mktemp(request.param)
    path = write(folder, lab, request.param)
    external = lab.node(BALANCER) if request.param == "external" else None
    if external is not None:
        if not shell(external, "ctr -n k8s.io images ls -q 2>/dev/null | grep /haproxy: || true"):
            # Its balancer is the image of ours, which a worker behind its own has.
            other = write(folder, lab, "node-local")
            cli.run("apply", "--config", other, within=900)
            cli.run("reset", "--config", other, "--yes", "--keep-artifacts", within=900)
        balancer.start(external, [lab.node(name) for name in CONTROL_PLANES])
    try:
        cli.run("apply", "--config", path, within=900)
        yield path
    finally:
        for node in lab.nodes:
            start(node)
        cli.run("reset", "--config", path, "--yes", "--keep-artifacts", within=900)
        if external is not None:
            balancer.stop(external)
        for node in lab.nodes:
            assert "kubeadm-py" not in shell(node, "cat /etc/hosts")
            assert VIP not in shell(node, "ip -oneline address show")
            assert shell(node, "ls -A /etc/kubernetes 2>/dev/null || true") == ""


@pytest.mark.parametrize(
    ("vip", "external", "check", "said"),
    [
        ("203.0.113.9", "", "VipSubnet", "the vip 203.0.113.9 is outside of"),
        (topology.address(LAB, 0), "", "VipSubnet", "is the address of the network"),
        (topology.node(LAB, "w2").address, "", "VipFree", "somebody answers at the vip"),
        ("", "api.nowhere.invalid:6443", "EndpointResolves", "api.nowhere.invalid does not resolve"),
    ],
    ids=["outside", "no host's", "answering", "unresolved"],
)
def test_what_cannot_be_an_endpoint_is_refused_and_nothing_is_touched(
    vip: str, external: str, check: str, said: str, lab: Lab, fleet: Fleet, cli: Cli, tmp_path: Path
) -> None:
    fleet.bare()
    path = write(tmp_path, lab, "vip" if vip else "external", vip, external, without=("w2",))
    witnesses = [lab.node("cp1"), lab.node("w1")]
    before = [hostview.look(node) for node in witnesses]
    refused = cli.run("apply", "--config", path, code=3)
    assert check in refused.text
    assert said in refused.text
    for node, was in zip(witnesses, before, strict=True):
        assert hostview.difference(was, hostview.look(node)) == [], node.name


def write(
    folder: Path,
    lab: Lab,
    kind: str,
    vip: str = VIP,
    external: str = "",
    without: Sequence[str] = (),
) -> Path:
    """Write the lab's config with an endpoint of this kind."""
    documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
    by_kind = {each["kind"]: each for each in documents}
    by_kind["ClusterConfiguration"].pop("controlPlaneEndpoint", None)
    if kind == "external":
        by_kind["ClusterConfiguration"]["controlPlaneEndpoint"] = external or balancer.endpoint(
            lab.node(BALANCER)
        )
    spec = by_kind["Cluster"]["spec"]
    spec["endpoint"] = KINDS[kind] | ({"vip": vip} if kind == "vip" else {})
    spec["hosts"] = [host for host in spec["hosts"] if host["name"] not in without]
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return path


def test_the_api_outlives_any_control_plane(config: Path, lab: Lab, cli: Cli) -> None:
    """Each is killed in turn, first the one that holds the vip, with etcd's leader among them."""
    assert "checks passed on 5 hosts" in cli.run("verify", "--config", config, "--level", "cluster").out
    clients = [
        Client(lab.node(name), path) for name in WORKERS for path in (WITHOUT_ETCD, f"/api/v1/nodes/{name}")
    ]
    # What etcd needs to have a leader again no endpoint can shorten: so much is known by asking beside it.
    beside = {
        name: Client(lab.node("w1"), "/api/v1/nodes/w1", f"https://{lab.node(name).address}:6443")
        for name in CONTROL_PLANES
    }
    time.sleep(2)
    killed: list[tuple[str, float]] = []
    for _ in CONTROL_PLANES:
        gone = [name for name, _ in killed]
        victim = next(
            each
            for each in (holder(lab), leader(lab), *map(lab.node, CONTROL_PLANES))
            if each and each.name not in gone
        )
        witness = next(lab.node(name) for name in CONTROL_PLANES if name != victim.name)
        note(f"kill {victim.name}: vip at {name_of(holder(lab))}, etcd led by {name_of(leader(lab))}")
        killed.append((victim.name, time.time()))
        subprocess.run(["docker", "kill", victim.container], check=True, capture_output=True)
        time.sleep(DOWN_SECONDS)
        for name in WORKERS:
            assert ready(witness)[name], f"{name} did not keep its lease"
            assert lease_age(witness, name) < DOWN_SECONDS, f"{name} renewed no lease"
        start(victim)
        wait_until_all_are_ready(witness, BACK_SECONDS, f"{victim.name} is back by itself")
        time.sleep(5)
    found = {client: client.stop() for client in clients}
    directly = {name: client.stop() for name, client in beside.items()}
    for client, requests in found.items():
        for name, at in killed:
            silent = longest_silence(requests, at - 2, at + 30).seconds
            etcd = min(
                longest_silence(directly[each], at - 2, at + 30).seconds
                for each in CONTROL_PLANES
                if each != name
            )
            note(
                f"{client.about}, {name} killed: silent for {silent:.2f} s; beside the endpoint {etcd:.2f} s"
            )
    for client, requests in found.items():
        for name, at in killed:
            allowed = SILENT_SECONDS
            if client.path != WITHOUT_ETCD:
                others = [each for each in CONTROL_PLANES if each != name]
                etcd = min(longest_silence(directly[each], at - 2, at + 30).seconds for each in others)
                allowed = max(allowed, etcd + ONE_TRY)
            about = f"{client.about}, after {name} was killed"
            assert longest_silence(requests, at - 2, at + 30).seconds <= allowed, about
            assert not failed_twice(requests, at + allowed, at + 30), about
    assert "checks passed on 5 hosts" in cli.run("verify", "--config", config, "--level", "cluster").out


def test_all_nodes_come_back_from_a_reboot_at_once(config: Path, lab: Lab) -> None:
    containers = [node.container for node in lab.nodes]
    witness = lab.node("cp1")
    began = time.time()
    subprocess.run(["docker", "restart", "--time", "1", *containers], check=True, capture_output=True)
    down = time.time()
    wait_until_all_are_ready(witness, BACK_SECONDS, "all are Ready after a reboot", since=down)
    note(f"all Ready {time.time() - down:.0f} s after docker restart, which took {down - began:.0f} s")


def note(figure: str) -> None:
    sys.stdout.write(f"{figure}\n")


def name_of(node: Node | None) -> str:
    return node.name if node is not None else "nobody"


def holder(lab: Lab) -> Node | None:
    """Return the control plane that has the vip."""
    for name in CONTROL_PLANES:
        if f" {VIP}/" in shell(lab.node(name), "ip -oneline address show"):
            return lab.node(name)
    return None


def leader(lab: Lab) -> Node | None:
    """Return the control plane whose etcd leads the others."""
    for name in CONTROL_PLANES:
        asked = f"{ETCDCTL} endpoint status -w json 2>/dev/null || true"
        said = json.loads(shell(lab.node(name), asked) or "[]")
        if said and said[0]["Status"]["header"]["member_id"] == said[0]["Status"]["leader"]:
            return lab.node(name)
    return None


def wait_until_all_are_ready(witness: Node, seconds: float, what: str, since: float = 0.0) -> None:
    began = time.monotonic()
    while not all((found := ready(witness, since)).values()):
        assert time.monotonic() - began < seconds, f"not so after {seconds:.0f} s: {what}: {found}"
        time.sleep(1)


def ready(witness: Node, since: float = 0.0) -> dict[str, bool]:
    """Return which nodes are Ready, as a control plane's own API server says.

    One that has renewed no lease since then is not: what the API says of it is older.
    """
    try:
        items = json.loads(kubectl(witness, "get", "nodes", "-o", "json"))["items"]
        leases = json.loads(kubectl(witness, "get", "leases", "-n", "kube-node-lease", "-o", "json"))["items"]
    except LabError:
        return {"the API": False}
    renewed = {each["metadata"]["name"]: moment(each["spec"]["renewTime"]) for each in leases}
    return {
        item["metadata"]["name"]: renewed.get(item["metadata"]["name"], 0.0) >= since
        and any(each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"])
        for item in items
    }


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def lease_age(witness: Node, name: str) -> float:
    """Return the seconds since a node renewed its lease."""
    asked = ("get", "lease", "-n", "kube-node-lease", name, "-o", "jsonpath={.spec.renewTime}")
    return time.time() - moment(kubectl(witness, *asked))


def kubectl(witness: Node, *argv: str) -> str:
    server = f"https://{witness.address}:6443"
    return nodes.exec(witness, ["kubectl", "--kubeconfig", ADMIN, "--server", server, *argv]).stdout


def start(node: Node) -> None:
    subprocess.run(["docker", "start", node.container], check=True, capture_output=True)
