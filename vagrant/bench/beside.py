"""Measure init and join beside real kubeadm on the same prepared nodes, in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from lab import artifacts, nodes, paths
from lab.nodes import Lab
from lab.process import say

from bench.contestants import Kubeadm, Ours
from bench.stopwatch import until_ready

LAB = "bench"
NODES = ("cp1", "w1", "w2", "w3")
WORKERS = NODES[1:]
READY_WITHIN = 240.0

T = TypeVar("T")


@dataclass(frozen=True)
class Comparison:
    """Hold one figure: both sides' seconds, round by round, and the most that the ratio may be."""

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    at_most: float

    @property
    def met(self) -> bool:
        """Say whether the goal is reached."""
        return self.ratio <= self.at_most

    @property
    def ratio(self) -> float:
        """Return the ratio of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def line(self) -> str:
        """Return the figure as people read it."""
        verdict = "met" if self.met else "missed"
        return (
            f"{self.name:<44} {self.ratio:5.2f}x  (goal: at most {self.at_most:.2f}x, {verdict};"
            f" medians {statistics.median(self.ours):.1f} s and {statistics.median(self.theirs):.1f} s)"
        )


def measure(rounds: int) -> list[Comparison]:
    """Run each comparison so many times; the nodes stay up."""
    lab = nodes.up(LAB, NODES)
    bare = Ours(config_with(lab, "bare", addons=[]))
    networked = Ours(config_with(lab, "flannel", addons=["flannel"]))
    say("bench: prepare all nodes once")
    networked.init()
    networked.join(*WORKERS)
    kubeadm = Kubeadm(lab)
    kubeadm.install(artifacts.oracle())
    networked.reset(*NODES)
    return [
        _init(rounds, bare, kubeadm),
        *_joins(rounds, lab, networked, kubeadm),
    ]


def _init(rounds: int, ours: Ours, kubeadm: Kubeadm) -> Comparison:
    def our_round() -> float:
        seconds = ours.init()
        ours.reset("cp1")
        return seconds

    def their_round() -> float:
        seconds = kubeadm.init()
        kubeadm.reset("cp1")
        return seconds

    return Comparison("init, beside ssh node kubeadm init", *in_turns(rounds, our_round, their_round), 0.95)


def _joins(rounds: int, lab: Lab, ours: Ours, kubeadm: Kubeadm) -> list[Comparison]:
    control_plane = lab.node("cp1")
    ours.init()
    line = _join_command(lab)

    def one() -> float:
        seconds = until_ready(control_plane, ["w1"], lambda: ours.join("w1"), READY_WITHIN)
        ours.reset("w1")
        return seconds

    def theirs() -> float:
        seconds = until_ready(control_plane, ["w1"], lambda: kubeadm.join("w1", line), READY_WITHIN)
        kubeadm.reset("w1")
        _delete_node(lab, "w1")
        return seconds

    def three() -> float:
        seconds = until_ready(control_plane, WORKERS, lambda: ours.join(*WORKERS), READY_WITHIN)
        ours.reset(*WORKERS)
        return seconds

    single = Comparison("join of a worker, beside kubeadm join", *in_turns(rounds, one, theirs), 1.1)
    many = Comparison("join of three workers, beside one of ours", *in_turns(rounds, three, one), 1.3)
    return [single, many]


def in_turns(
    rounds: int, first: Callable[[], T], second: Callable[[], T]
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Run both in turns, changing who begins, so that a noisy minute hits both sides."""
    firsts: list[T] = []
    seconds: list[T] = []
    for turn in range(rounds):
        if turn % 2:
            seconds.append(second())
            firsts.append(first())
        else:
            firsts.append(first())
            seconds.append(second())
        say(f"bench: round {turn + 1} of {rounds}: {_shown(firsts[-1])} and {_shown(seconds[-1])}")
    return tuple(firsts), tuple(seconds)


def _shown(measured: object) -> str:
    return f"{measured:.1f} s" if isinstance(measured, float) else str(measured)


def config_with(lab: Lab, name: str, addons: list[str]) -> Path:
    """Write the lab's cluster file with other add-ons."""
    documents = [each for each in yaml.safe_load_all(lab.cluster_yaml.read_text(encoding="utf-8")) if each]
    for document in documents:
        if document["kind"] == "Cluster":
            document["spec"]["addons"] = addons
    target = paths.STATE / LAB / f"{name}.yaml"
    target.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    return target


def _join_command(lab: Lab) -> str:
    control_plane = lab.node("cp1")
    admin = ["--kubeconfig", "/etc/kubernetes/admin.conf"]
    made = nodes.exec(control_plane, ["kubeadm", *admin, "token", "create", "--print-join-command"])
    return made.stdout.strip().splitlines()[-1]


def _delete_node(lab: Lab, name: str) -> None:
    admin = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
    nodes.exec(lab.node("cp1"), [*admin, "delete", "node", name])
