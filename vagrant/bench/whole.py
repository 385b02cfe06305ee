"""Measure a cluster of three control planes and three workers, beside kubeadm driven by a plain script."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from lab import artifacts, nodes
from lab.nodes import Lab
from lab.process import LabError, say

from bench.beside import LAB, Comparison, config_with, in_turns
from bench.contestants import Kubeadm, Ours
from bench.stopwatch import ReadyWatch

CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2", "w3")
LIGHT_NODES = 20
NOTHING_TO_DO_SECONDS = 3.0
_WITHIN = 420.0
_LOOKS_EVERY = 0.2
"""Seconds between two looks: what is measured runs on the processors that a look takes."""
_SETTLES = 30.0
"""Seconds that a cluster which has just come up goes on being busy with itself."""


@dataclass(frozen=True)
class Moments:
    """Hold the seconds until every API server answered /readyz, and until all nodes were Ready."""

    answering: float
    ready: float


def measure(rounds: int) -> list[Comparison]:
    """Bring clusters up in turns; the nodes stay up."""
    lab = nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    ours = Ours(config_with(lab, "whole", addons=["flannel"]))
    say("bench: prepare all nodes once")
    ours.run("apply")
    kubeadm = Kubeadm(lab)
    kubeadm.install(artifacts.oracle())
    network = _network_of(ours)
    script = _Script(lab, kubeadm, network)
    ours.reset(*CONTROL_PLANES, *WORKERS)
    firsts, seconds = in_turns(rounds, lambda: _ours(lab, ours), lambda: script.run())
    nothing = _nothing_to_do(lab, rounds, network)
    return [
        Comparison(
            "3+3 until all six are Ready, beside a script",
            tuple(each.ready for each in firsts),
            tuple(each.ready for each in seconds),
            0.30,
        ),
        Comparison(
            "three API servers answering, beside the script",
            tuple(each.answering for each in firsts),
            tuple(each.answering for each in seconds),
            0.22,
        ),
        *nothing,
    ]


def _ours(lab: Lab, ours: Ours) -> Moments:
    moments = _moments(lab, lambda: ours.run("apply"))
    ours.reset(*CONTROL_PLANES, *WORKERS)
    return moments


def _moments(lab: Lab, start: Callable[[], object]) -> Moments:
    """Run something that makes a cluster, and look when its API servers answer and its nodes are Ready."""
    started = time.monotonic()
    answering: dict[str, float] = {}
    leader = lab.node(CONTROL_PLANES[0])
    watch = ReadyWatch(leader, (*CONTROL_PLANES, *WORKERS))

    def follow(address: str) -> None:
        asked = _Readyz(address)
        while time.monotonic() < started + _WITHIN:
            if asked.answers():
                answering[address] = time.monotonic() - started
                break
            time.sleep(_LOOKS_EVERY)
        if address in answering and address == leader.address:
            watch.begin(_WITHIN)

    addresses = [lab.node(name).address for name in CONTROL_PLANES]
    threads = [threading.Thread(target=follow, args=(address,), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    try:
        start()
        ready = watch.wait(_WITHIN) - started
    finally:
        watch.end()
    for thread in threads:
        thread.join()
    if len(answering) < len(addresses):
        raise LabError(f"not all API servers answered /readyz within {_WITHIN:.0f} s: {sorted(answering)}")
    return Moments(max(answering.values()), ready)


class _Readyz:
    """Ask an API server whether it is ready, over one connection: each new one costs it a signature."""

    def __init__(self, address: str) -> None:
        # Only whether it answers is of interest; /readyz is anybody's to ask.
        context = ssl._create_unverified_context()
        self._connection = http.client.HTTPSConnection(address, 6443, timeout=1, context=context)

    def answers(self) -> bool:
        try:
            self._connection.request("GET", "/readyz")
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        return answer.status == 200


class _Script:
    """The best plain script: workers wait from the start, control planes join one after the other."""

    def __init__(self, lab: Lab, kubeadm: Kubeadm, network: str) -> None:
        self._lab, self._kubeadm, self._network = lab, kubeadm, network
        cp1 = lab.node("cp1")
        self._token = nodes.exec(cp1, ["kubeadm", "token", "generate"]).stdout.strip()
        self._key = nodes.exec(cp1, ["kubeadm", "certs", "certificate-key"]).stdout.strip()
        # Known before the first command, so that everybody may start at once.
        edit = (
            f"sed -i 's/^kind: InitConfiguration$/&\\nbootstrapTokens: [{{token: {self._token}}}]"
            f"\\ncertificateKey: {self._key}/' /root/kubeadm.yaml"
        )
        nodes.exec(cp1, ["sh", "-euc", f"grep -q bootstrapTokens /root/kubeadm.yaml || {edit}"])

    def run(self) -> Moments:
        moments = _moments(self._lab, self._bring_up)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(self._reset, (*CONTROL_PLANES, *WORKERS)))
        return moments

    def _reset(self, name: str) -> None:
        # All go at once: a member that asks others to let it go would wait for those that are gone.
        self._kubeadm.reset(name, more="--skip-phases remove-etcd-member")

    def _bring_up(self) -> None:
        with ThreadPoolExecutor(len(WORKERS)) as pool:
            joining = [pool.submit(self._join, name) for name in WORKERS]
            cp1 = self._lab.node("cp1")
            self._kubeadm.ssh(cp1, "sudo kubeadm init --upload-certs --config /root/kubeadm.yaml")
            _kubectl(self._lab, "apply", self._network)
            for name in CONTROL_PLANES[1:]:
                self._join(name, f"--control-plane --certificate-key {self._key}")
            for each in joining:
                each.result()

    def _join(self, name: str, more: str = "") -> None:
        endpoint = f"{self._lab.node('cp1').address}:6443"
        self._kubeadm.join(
            name,
            f"kubeadm join {endpoint} --token {self._token}"
            f" --discovery-token-unsafe-skip-ca-verification {more}",
        )


def _network_of(ours: Ours) -> str:
    """Return flannel's objects as we render them: both sides get the same network."""
    with TemporaryDirectory(prefix="kubeadm-py-bench-") as name:
        output = Path(name) / "out"
        ours.run("render", "--output", str(output), "--no-secrets")
        objects = yaml.safe_load_all((output / "objects.yaml").read_text(encoding="utf-8"))
        kept = [each for each in objects if each and "flannel" in str(each["metadata"])]
    return yaml.safe_dump_all(kept)


def _nothing_to_do(lab: Lab, rounds: int, network: str) -> list[Comparison]:
    """Measure an apply that changes nothing, and a worker's join beside one to twenty more nodes.

    The network comes by hand then: as an add-on it would never be ready on nodes that nobody stands behind,
    and without one each join waits for it for a while.
    """
    bare = Ours(config_with(lab, "whole-bare", addons=[]))
    bare.run("apply")
    time.sleep(_SETTLES)
    seconds = tuple(bare.run("apply") for _ in range(rounds))
    nothing = Comparison(
        f"apply that changes nothing, of {NOTHING_TO_DO_SECONDS:.0f} s",
        seconds,
        (NOTHING_TO_DO_SECONDS,),
        1.0,
    )
    say(f"bench: {nothing.line()}")
    _kubectl(lab, "apply", network)
    few = _joins(bare, rounds)
    _light_nodes(lab)
    many = _joins(bare, rounds)
    bare.reset(*CONTROL_PLANES, *WORKERS)
    name = f"join of a worker beside {LIGHT_NODES} more nodes, beside none"
    return [nothing, Comparison(name, many, few, 1.15)]


def _joins(ours: Ours, rounds: int) -> tuple[float, ...]:
    seconds = []
    for _ in range(rounds):
        ours.reset("w3")
        seconds.append(ours.join("w3"))
    return tuple(seconds)


def _light_nodes(lab: Lab) -> None:
    """Make nodes that no kubelet stands behind: what a join asks the cluster about grows with them."""
    items = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"light{number}"}}
        for number in range(LIGHT_NODES)
    ]
    _kubectl(lab, "create", yaml.safe_dump_all(items))


def _kubectl(lab: Lab, verb: str, objects: str) -> None:
    command = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", verb, "-f", "-"]
    nodes.exec(lab.node("cp1"), command, stdin=objects)
