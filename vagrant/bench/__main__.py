"""Measure, judge by the goals, and write figures into bench/results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from lab import nodes
from lab.process import LabError, run

from bench import beside, offline, scale, transfer, whole
from bench.beside import Comparison
from bench.offline import Limited
from bench.scale import Peak

ROUNDS = 9
"""A kubelet looks for its node once a second: single joins differ by a second, medians must not."""
RESULTS = Path("bench/results")
PARTS = ("offline", "nodes", "transfer", "whole", "scale")
"""What reaches no host; init and join beside real kubeadm; a bundle to six nodes beside scp; a whole cluster
beside kubeadm in a script; many hosts."""
Figure = Limited | Comparison | Peak
_ON_NODES: dict[str, Callable[[int], Sequence[Figure]]] = {
    "nodes": beside.measure,
    "transfer": transfer.measure,
    "whole": whole.measure,
    "scale": scale.measure,
}


def main() -> int:
    """Measure the parts asked for and write the result; 0 when all goals are met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="only this one (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each comparison")
    parser.add_argument("--keep", action="store_true", help="leave the nodes up")
    chosen = parser.parse_args()
    parts = (chosen.part,) if chosen.part else PARTS
    load = os.getloadavg()[0]
    # As pip does when it installs a program: where the environment forbids it, each start would compile anew.
    run([sys.executable, "-m", "compileall", "-q", "kubeadm_py"])
    figures: list[Figure] = []
    try:
        if "offline" in parts:
            figures += offline.measure(chosen.rounds)
        for part, measure in _ON_NODES.items():
            if part in parts:
                figures += _on_nodes(measure, chosen.rounds, keep=chosen.keep)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    _report(figures, chosen.rounds, load)
    return 0 if all(each.met for each in figures) else 1


def _on_nodes(measure: Callable[[int], Sequence[Figure]], rounds: int, *, keep: bool) -> Sequence[Figure]:
    try:
        return measure(rounds)
    finally:
        if not keep:
            nodes.down(beside.LAB)


def _report(figures: list[Figure], rounds: int, load: float) -> None:
    commit = run(["git", "rev-parse", "--short", "HEAD"]).strip()
    # Where others were at work beside it, seconds say little, and ratios less than they seem to.
    heading = (
        f"{rounds} rounds, {platform.machine()}, {os.cpu_count()} processors, load {load:.1f} before,"
        f" commit {commit}"
    )
    text = "\n".join([heading, *(each.line() for each in figures)])
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    document = {
        "rounds": rounds,
        "load": load,
        "commit": commit,
        "figures": [asdict(each) for each in figures],
    }
    (RESULTS / f"{stamp}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (RESULTS / f"{stamp}.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
