"""Each kind of endpoint on three control planes: one is killed while clients ask, and comes back."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from lab import nodes, topology
from lab.nodes import Lab
from lab.process import LabError
from lab.topology import Node

from .cli import Cli
from .conftest import LAB
from .conftest import NODES as USUAL
from .fleet import ADMIN, Fleet

pytestmark = pytest.mark.long

CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2")
VIP = topology.address(LAB, 100)
KINDS = {
    "node-local": {"loadBalancer": "node-local"},
    "vip": {"loadBalancer": "vip", "vip": VIP},
    "vip-balanced": {"loadBalancer": "vip", "vip": VIP, "port": 8443},
}
SILENT_SECONDS = 3.0
"""What issue 5 allows after the loss of a control plane."""
BACK_SECONDS = 120
DOWN_SECONDS = 20
_CREDENTIALS = "/var/lib/kubelet/pki/kubelet-client-current.pem"
# Whoever asks gives up soon, as clients with a deadline do: later answers would count as silence anyway.
_ASK = f"""while [ ! -e /run/ask-no-more ]; do
  begin=$(date +%s.%N)
  code=$(curl --disable -s -o /dev/null -w '%{{http_code}}' --noproxy '*' --connect-timeout 1 --max-time 2 \\
    --cacert /etc/kubernetes/pki/ca.crt --cert {_CREDENTIALS} --key {_CREDENTIALS} "$1")
  echo "$begin $(date +%s.%N) $code"
  sleep 0.05
done >"$2"
"""


@dataclass(frozen=True)
class Request:
    """One request of a client in a node, in Unix time."""

    begin: float
    end: float
    code: str

    @property
    def answered(self) -> bool:
        return self.code == "200"


class Client:
    """Ask the API from a node, over and over, with a connection of its own for every request."""

    def __init__(self, node: Node, path: str) -> None:
        self._node = node
        self._file = f"/run/asked{path.replace('/', '-')}"
        self.about = f"{path} from {node.name}"
        server = shell(node, "awk '/server:/ { print $2 }' /etc/kubernetes/kubelet.conf").strip()
        nodes.exec(node, ["sh", "-c", "rm -f /run/ask-no-more; cat >/run/ask"], stdin=_ASK)
        command = f"sh /run/ask {shlex.quote(server + path)} {self._file} </dev/null >/dev/null 2>&1 &"
        shell(node, command)

    def stop(self) -> list[Request]:
        shell(self._node, "touch /run/ask-no-more; sleep 3")
        lines = [line.split() for line in shell(self._node, f"cat {self._file}").splitlines()]
        return [Request(float(begin), float(end), code) for begin, end, code in lines]


@pytest.fixture(scope="module")
def lab(fleet: Fleet) -> Iterator[Lab]:
    yield nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    nodes.up(LAB, USUAL)


@pytest.fixture(params=KINDS)
def config(
    request: pytest.FixtureRequest, lab: Lab, fleet: Fleet, cli: Cli, tmp_path: Path
) -> Iterator[Path]:
    """Bring the cluster up with this kind of endpoint, and take it down."""
    fleet.bare()
    documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
    (cluster,) = [each for each in documents if each["kind"] == "Cluster"]
    cluster["spec"]["endpoint"] = KINDS[request.param]
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    try:
        cli.run("apply", "--config", path)
        yield path
    finally:
        for node in lab.nodes:
            start(node)
        cli.run("reset", "--config", path, "--yes", "--keep-artifacts")


def test_the_api_outlives_any_control_plane(config: Path, lab: Lab, cli: Cli) -> None:
    assert "checks passed on 5 hosts" in cli.run("verify", "--config", config, "--level", "cluster").out
    clients = [
        Client(lab.node(name), path) for name in WORKERS for path in ("/version", f"/api/v1/nodes/{name}")
    ]
    time.sleep(2)
    killed: list[float] = []
    for _ in range(2):
        victim = holder(lab) or lab.node(CONTROL_PLANES[len(killed)])
        witness = next(lab.node(name) for name in CONTROL_PLANES if name != victim.name)
        killed.append(time.time())
        subprocess.run(["docker", "kill", victim.container], check=True, capture_output=True)
        time.sleep(DOWN_SECONDS)
        for name in WORKERS:
            assert ready(witness)[name], f"{name} did not keep its lease"
            assert lease_age(witness, name) < DOWN_SECONDS, f"{name} renewed no lease"
        start(victim)
        began = time.monotonic()
        while not all(ready(witness).values()):
            assert time.monotonic() - began < BACK_SECONDS, f"{victim.name} is not back: {ready(witness)}"
            time.sleep(1)
        time.sleep(5)
    for client in clients:
        requests = client.stop()
        for moment in killed:
            assert longest_silence(requests, moment) <= SILENT_SECONDS, client.about
            assert not failed_twice(requests, moment + SILENT_SECONDS), client.about
    assert "checks passed on 5 hosts" in cli.run("verify", "--config", config, "--level", "cluster").out
    cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
    for node in lab.nodes:
        assert "kubeadm-py" not in shell(node, "cat /etc/hosts")
        assert VIP not in shell(node, "ip -oneline address show")
        assert shell(node, "ls -A /etc/kubernetes 2>/dev/null || true") == ""


def longest_silence(requests: list[Request], moment: float) -> float:
    """Return the longest time between two answers in the half minute after `moment`."""
    answers = [each.end for each in requests if each.answered and -2 < each.end - moment < 30]
    assert len(answers) > 20
    return max(after - before for before, after in itertools.pairwise(answers))


def failed_twice(requests: list[Request], moment: float) -> list[Request]:
    """Return the requests after `moment` that failed although they were a retry."""
    later = [each for each in requests if moment < each.begin < moment + 30]
    return [second for first, second in itertools.pairwise(later) if not (first.answered or second.answered)]


def holder(lab: Lab) -> Node | None:
    """Return the control plane that has the vip."""
    for name in CONTROL_PLANES:
        if f" {VIP}/" in shell(lab.node(name), "ip -oneline address show"):
            return lab.node(name)
    return None


def ready(witness: Node) -> dict[str, bool]:
    """Return which nodes are Ready, as a control plane's own API server says."""
    try:
        items = json.loads(kubectl(witness, "get", "nodes", "-o", "json"))["items"]
    except LabError:
        return {"the API": False}
    return {
        item["metadata"]["name"]: any(
            each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
        )
        for item in items
    }


def lease_age(witness: Node, name: str) -> float:
    """Return the seconds since a node renewed its lease."""
    moment = kubectl(
        witness, "get", "lease", "-n", "kube-node-lease", name, "-o", "jsonpath={.spec.renewTime}"
    )
    return float(shell(witness, f"echo $(($(date +%s) - $(date +%s -d {moment})))"))


def kubectl(witness: Node, *argv: str) -> str:
    server = f"https://{witness.address}:6443"
    return nodes.exec(witness, ["kubectl", "--kubeconfig", ADMIN, "--server", server, *argv]).stdout


def start(node: Node) -> None:
    subprocess.run(["docker", "start", node.container], check=True, capture_output=True)


def shell(node: Node, script: str) -> str:
    return nodes.exec(node, ["sh", "-c", script]).stdout
