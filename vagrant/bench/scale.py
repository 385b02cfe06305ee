"""Measure `plan` and an `apply` that changes nothing over many hosts, beside ssh to the same hosts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import light, nodes, paths
from lab.nodes import Lab
from lab.process import LabError, say
from lab.topology import Node

from bench.beside import LAB, Comparison, config_with
from bench.contestants import Ours, our_command
from bench.offline import Limited
from bench.recording import record
from bench.stopwatch import Spent, spent, timed

FEW, MANY = 10, 100
REAL = ("cp1", "w1")
_SECONDS, _MEGABYTES, _TIMES_SSH = 30.0, 400.0, 3.0
_AT_ONCE = 32
"""As many connections at a time as parallel ssh tools usually make."""
_VERBS = {"plan": "nothing to do", "apply": "nothing changed"}
"""Verb -> what it says where all is as the file says."""


@dataclass(frozen=True)
class Peak:
    """Hold one figure: the megabytes that a command had at most, round by round, and the most they may be."""

    name: str
    megabytes: tuple[float, ...]
    at_most: float

    @property
    def met(self) -> bool:
        """Say whether the goal is reached."""
        return max(self.megabytes) <= self.at_most

    def line(self) -> str:
        """Return the figure as people read it."""
        verdict = "met" if self.met else "missed"
        return (
            f"{self.name:<44} {max(self.megabytes):5.0f} MB (goal: at most {self.at_most:.0f} MB, {verdict})"
        )


def measure(rounds: int) -> list[Limited | Comparison | Peak]:
    """Bring up a control plane, a worker and light hosts; they stay up."""
    lab = nodes.up(LAB, REAL)
    ours = Ours(patient(config_with(lab, "scale", addons=[])))
    ours.run("apply")
    hosts = light_workers(lab, ours.config, MANY - len(REAL))
    few = _rounds(lab, ours.config, hosts[: FEW - len(REAL)], rounds)
    many = _rounds(lab, ours.config, hosts, rounds)
    figures: list[Limited | Comparison | Peak] = []
    for verb in _VERBS:
        ran = many.of[verb]
        seconds = tuple(each.seconds for each in ran)
        figures += [
            Limited(f"{verb} over {MANY} hosts", seconds, tuple(each.processors for each in ran), _SECONDS),
            Peak(f"{verb} over {MANY} hosts", tuple(each.megabytes for each in ran), _MEGABYTES),
            Comparison(f"{verb}, beside ssh to the same hosts", seconds, many.ssh, _TIMES_SSH),
            Comparison(
                f"{verb} over {MANY} hosts, beside {MANY // FEW} times {FEW}",
                seconds,
                tuple(MANY // FEW * each.seconds for each in few.of[verb]),
                1.0,
            ),
        ]
    return figures


@dataclass(frozen=True)
class _Ran:
    """Hold the rounds over so many hosts."""

    of: dict[str, tuple[Spent, ...]]
    ssh: tuple[float, ...]


def _rounds(lab: Lab, base: Path, hosts: Sequence[Node], rounds: int) -> _Ran:
    config = config_of(lab, base, hosts)
    of: dict[str, list[Spent]] = {verb: [] for verb in _VERBS}
    ssh = []
    for _ in range(rounds):
        for verb, words in _VERBS.items():
            used = spent(our_command(verb, "--config", str(config)))
            if words not in used.said:
                raise LabError(f"{verb} found something to do\n{used.said}")
            of[verb].append(used)
        ssh.append(_ssh_to_all(lab, hosts))
    shown = ", ".join(f"{verb} {statistics.median(x.seconds for x in ran):.1f} s" for verb, ran in of.items())
    say(f"bench: {len(hosts) + len(REAL)} hosts: {shown}, ssh {statistics.median(ssh):.1f} s")
    return _Ran({verb: tuple(ran) for verb, ran in of.items()}, tuple(ssh))


def _ssh_to_all(lab: Lab, hosts: Sequence[Node]) -> float:
    """Run `true` on all hosts as parallel ssh tools do, and return the seconds."""
    known_hosts = light.known_hosts(lab, hosts)
    ssh = f"ssh -n -i {lab.ssh.key} -o UserKnownHostsFile={known_hosts} -o BatchMode=yes -l {lab.ssh.user}"
    addresses = [host.address for host in (*map(lab.node, REAL), *hosts)]
    words = ["xargs", "-P", str(_AT_ONCE), "-I{}", *ssh.split(), "{}", "true"]
    return timed(words, stdin="\n".join(addresses))


def light_workers(lab: Lab, config: Path, count: int) -> tuple[Node, ...]:
    """Bring up light hosts that are what w1 is, and make them nodes of its cluster."""
    saved = paths.STATE / lab.name / "facts"
    spent(our_command("preflight", "--config", str(config), "--save-facts", str(saved)))
    hosts = light.up(lab, count, record(lab.node("w1"), saved / "w1.json"))
    register(lab, hosts)
    return hosts


def register(lab: Lab, hosts: Sequence[Node]) -> None:
    """Make hosts nodes of the cluster, Ready as w1 is, as a kubelet does when it starts."""
    like = json.loads(_kubectl(lab, "get", "node", "w1", "-o", "json"))
    unregister(lab, hosts)
    # A node that is made brings its status with it.
    items = [_node(like, host) for host in hosts]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    _kubectl(lab, "create", "-f", "-", stdin=listed)


def unregister(lab: Lab, hosts: Sequence[Node]) -> None:
    """Take hosts out of the cluster."""
    _kubectl(lab, "delete", "node", "--ignore-not-found", *(host.name for host in hosts))


def _kubectl(lab: Lab, *words: str, stdin: str = "") -> str:
    command = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words]
    return nodes.exec(lab.node("cp1"), command, stdin=stdin, timeout=300).stdout


def _node(like: dict[str, Any], host: Node) -> dict[str, Any]:
    labels = {**like["metadata"]["labels"], "kubernetes.io/hostname": host.name}
    addresses = [{"type": "InternalIP", "address": host.address}, {"type": "Hostname", "address": host.name}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": host.name, "labels": labels},
        "status": {**like["status"], "addresses": addresses},
    }


def patient(config: Path) -> Path:
    """Let the cluster of a config file take nodes for Ready of which it hears no more, as of light ones."""
    documents = list(yaml.safe_load_all(config.read_text(encoding="utf-8")))
    for document in documents:
        if document["kind"] == "ClusterConfiguration":
            flag = {"name": "node-monitor-grace-period", "value": "24h"}
            document["controllerManager"] = {"extraArgs": [flag]}
    config.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    return config


def config_of(lab: Lab, base: Path, hosts: Sequence[Node]) -> Path:
    """Write a cluster file with these light hosts as workers beside cp1 and w1, and without add-ons."""
    documents = list(yaml.safe_load_all(base.read_text(encoding="utf-8")))
    for document in documents:
        if document["kind"] == "Cluster":
            spec = document["spec"]
            spec["addons"] = []
            spec["ssh"]["knownHosts"] = str(light.known_hosts(lab, hosts))
            known = [host for host in spec["hosts"] if host["name"] in REAL]
            added = [{"name": host.name, "role": host.role, "address": host.address} for host in hosts]
            spec["hosts"] = [*known, *added]
    target = paths.STATE / lab.name / f"{base.stem}-{len(hosts)}.yaml"
    target.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    return target
