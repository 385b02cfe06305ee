"""Apply is killed, cut off, or loses a host at a boundary; run again, it comes to the same cluster.

The boundaries are those that an uninterrupted run showed: before and after each host's stage, and between
its actions. Of all of them eight are drawn by a seed (KPY_CRASH_SEED, or eight for each of several, with
commas); `make test-crash` takes all, or with SHARD=2/4 a part of them, and leaves out what held before.
"""

from __future__ import annotations

import enum
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes
from lab.process import LabError, run
from lab.topology import Node

from kubeadm_py.engine.boundary import HELD, RELEASE, VARIABLE

from . import fingerprint
from .cli import Cli, Done, Running
from .conftest import LAB, NODES
from .fingerprint import Fingerprint
from .fleet import Fleet

CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2")
DRAWN = 8
SEEDS = os.environ.get("KPY_CRASH_SEED", "1").split(",")
GOES_ON = 3.0
"""Seconds that a run goes on with the other hosts once it has lost one."""
ENDS_WITHIN = 240.0
"""Seconds in which it has ended after Ctrl-C."""
FROM_BARE_WITHIN = 600.0
RECORD = Path(__file__).parent / ".collected" / "crash-held.json"


class Fault(enum.Enum):
    KILL = "the tool is killed"
    CUT = "the connection is cut"
    POWER = "the host loses power"


@dataclass(frozen=True)
class Case:
    """Say where what happens."""

    stage: str
    host: str
    place: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.stage}/{self.host}/{self.place}: {self.fault.value}"


@dataclass(frozen=True)
class Reference:
    """What a run that nothing happened to made of bare hosts, and the boundaries that it passed."""

    config: Path
    nodes: tuple[Node, ...]
    fingerprint: Fingerprint
    boundaries: tuple[tuple[str, str, str], ...]

    def cases(self) -> list[Case]:
        return [Case(*boundary, fault) for boundary in self.boundaries for fault in Fault]


def boundaries_of(events: Sequence[dict[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    """List what a run passed: (stage, host, place), in the order of stages and hosts."""
    actions: dict[tuple[str, str], int] = {}
    for event in events:
        if event["type"] == "host-started" and event["stage"] != "look":
            actions.setdefault((event["stage"], event["host"]), 0)
        elif event["type"] == "action-done":
            actions[event["stage"], event["host"]] += 1
    return tuple(
        (stage, host, place)
        for (stage, host), count in sorted(actions.items())
        for place in ("before", *map(str, range(1, count)), "after")
    )


@pytest.fixture(scope="module")
def reference(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    # With nothing of ours on any: the boundaries of all preparation count.
    fleet.bare(artifacts=False)
    lab = nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    config = tmp_path_factory.mktemp("crash") / "cluster.yaml"
    documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
    kinds = {document["kind"]: document for document in documents}
    kinds["ClusterConfiguration"].pop("controlPlaneEndpoint", None)
    kinds["Cluster"]["spec"]["endpoint"] = {"loadBalancer": "node-local"}
    config.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    nodes.up(LAB, NODES)
    hosts = tuple(lab.node(name) for name in (*CONTROL_PLANES, *WORKERS))
    done = cli.run("apply", "--config", config, "--format", "json", within=FROM_BARE_WITHIN)
    yield Reference(config, hosts, fingerprint.take(hosts), boundaries_of(done.events))
    cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
    run(["docker", "rm", "--force", "--volumes", *(lab.node(name).container for name in CONTROL_PLANES[1:])])


def drawn(cases: list[Case], seed: str) -> list[Case]:
    """Draw eight, of every fault some, and of every stage that has any."""
    chance = random.Random(int(seed))
    stages = sorted({case.stage for case in cases})
    found: list[Case] = []
    for number in range(DRAWN):
        # Losing power takes longest: one boot of a host and its neighbours' patience.
        fault = (Fault.KILL, Fault.CUT, Fault.KILL, Fault.POWER)[number % 4]
        fitting = [
            case for case in cases if case.fault is fault and case.stage == stages[number % len(stages)]
        ]
        found.append(chance.choice([case for case in fitting if case not in found]))
    return found


def shard(cases: list[Case]) -> list[Case]:
    """Return this shard's cases, without those that held in an earlier run."""
    number, _, of = os.environ.get("KPY_CRASH_SHARD", "1/1").partition("/")
    held = json.loads(RECORD.read_text()) if RECORD.exists() else []
    return [case for case in cases[int(number) - 1 :: int(of)] if str(case) not in held]


def note_held(case: Case) -> None:
    held = json.loads(RECORD.read_text()) if RECORD.exists() else []
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps([*held, str(case)], indent=0))


def crash(case: Case, reference: Reference, cli: Cli, release: Path) -> dict[str, str]:
    """Let the fault happen at the boundary, and return what was in use by then."""
    environment = {VARIABLE: f"{case.stage}/{case.host}/{case.place}", RELEASE: str(release)}
    running = cli.start("apply", "--config", reference.config, env=environment)
    running.until(type="host-progress", host=case.host, message=HELD)
    in_use = fingerprint.in_use(reference.nodes)
    host = next(node for node in reference.nodes if node.name == case.host)
    if case.fault is Fault.KILL:
        running.signal(signal.SIGKILL)
        running.end()
        return in_use
    if case.fault is Fault.CUT:
        # The listener stays; a login's two processes go.
        nodes.exec(host, ["pkill", "-KILL", "-f", "^sshd: vagrant"])
    else:
        # Back at once: what it says to its old connections ends them, and nobody waits for a silent host.
        run(["docker", "kill", host.container])
        run(["docker", "start", host.container])
    release.touch()
    done = ended(running, case.host)
    if case.fault is Fault.POWER:
        nodes.exec(host, ["systemctl", "is-system-running", "--wait"], check=False)
    # After its last stage nothing more is asked of a host: then the run need not even notice.
    well = (0,) if case.place == "after" else ()
    assert done.code in (1, 7, 9, 130, *well), f"exit code {done.code} after {case}\n{done}"
    assert case.host in done.text
    return in_use


def ended(running: Running, host: str) -> Done:
    """Wait for the end of a run that has lost a host; one that goes on with others is stopped by Ctrl-C."""
    running.until(type="host-done", host=host)
    time.sleep(GOES_ON)
    if running.process.poll() is None:
        running.signal(signal.SIGINT)
    return running.end(within=ENDS_WITHIN)


def examine(case: Case, reference: Reference, cli: Cli, release: Path) -> None:
    """Crash, run again, and compare with the cluster that nothing happened to."""
    keep = [] if case.stage == "prepare" else ["--keep-artifacts"]
    cli.run("reset", "--config", reference.config, "--yes", *keep)
    in_use = crash(case, reference, cli, release)
    cli.run("apply", "--config", reference.config)
    now = fingerprint.in_use(reference.nodes)
    changed = [key for key, value in in_use.items() if now.get(key) != value]
    assert not changed, f"was in use before the kill, and is another one now: {changed}"
    found = fingerprint.difference(reference.fingerprint, fingerprint.take(reference.nodes))
    assert not found, f"{case}\n" + "\n".join(found)
    again = cli.run("apply", "--config", reference.config, "--format", "json")
    assert again.report["changed"] == 0, str(again)


@pytest.mark.parametrize("number", range(DRAWN))
@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_after_a_crash_comes_to_the_same_cluster(
    seed: str, number: int, reference: Reference, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = drawn(reference.cases(), seed)[number]
    with capsys.disabled():
        sys.stdout.write(f"\n  {case} (one of {len(reference.cases())} crashes) ")
    examine(case, reference, cli, tmp_path / "go-on")


@pytest.mark.skipif("KPY_CRASH_ALL" not in os.environ, reason="hours: make test-crash")
def test_every_crash(
    reference: Reference, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = shard(reference.cases())
    failed = []
    for number, case in enumerate(cases):
        began = time.monotonic()
        try:
            examine(case, reference, cli, tmp_path / f"go-on-{number}")
            note_held(case)
            verdict = "held"
        except (AssertionError, LabError) as error:
            failed.append(f"{case}\n{error}")
            verdict = "FAILED"
        with capsys.disabled():
            took = f"{time.monotonic() - began:.0f} s"
            sys.stdout.write(f"\n  {number + 1} of {len(cases)}: {case}: {verdict} after {took} ")
    assert not failed, "\n\n".join(failed)
