"""Measure how fast a bundle reaches six fresh nodes, beside six parallel scp of as many bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import nodes
from lab.nodes import Lab
from lab.process import LabError, say
from lab.topology import Node

from bench.beside import LAB, Comparison, config_with
from bench.stopwatch import timed
from bench.whole import CONTROL_PLANES, WORKERS

AT_MOST = 1 / 0.6
"""In seconds a byte: no less than 60% of scp's rate."""
ROUNDS = 3
"""At most: each round makes twelve new nodes."""
_PREPARE = "prepare"
_WITHIN = 900.0
_RECEIVED = "cat /sys/class/net/eth0/statistics/rx_bytes"
_GIB = 1 << 30


def measure(rounds: int) -> list[Comparison]:
    """Send, in turns: ours until binaries are installed and images imported, scp until its last byte."""
    lab = nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    config = config_with(lab, "transfer", addons=["flannel", "local-path-storage"])
    ours, theirs = [], []
    for _ in range(min(rounds, ROUNDS)):
        _renew(lab)
        seconds, size = _ours(lab, config)
        ours.append(seconds / (size / _GIB))
        # What the run began beside its transfers would slow the copies down.
        _renew(lab)
        theirs.append(_scp(lab, size // len(lab.nodes)) / (size / _GIB))
        say(f"bench: {size >> 20} MiB to six nodes: {ours[-1]:.1f} s a GiB, scp {theirs[-1]:.1f} s")
    name = "a bundle to six fresh nodes, a GiB, beside scp"
    return [Comparison(name, tuple(ours), tuple(theirs), AT_MOST)]


def _renew(lab: Lab) -> None:
    for node in lab.nodes:
        nodes.fresh(node)


def _ours(lab: Lab, config: Path) -> tuple[float, int]:
    """Run apply until all hosts are prepared; return the seconds of that, and the bytes that arrived."""
    before = sum(map(_received, lab.nodes))
    command = [str(Path(sys.executable).with_name("kubeadm-py")), "apply", "--format", "json"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*command, "--config", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        assert process.stdout is not None
        prepared: dict[str, float] = {}
        for line in process.stdout:
            event = json.loads(line)
            if event.get("type") == "host-done" and event.get("stage") == _PREPARE:
                if event.get("error"):
                    break
                prepared[event["host"]] = event["seconds"]
            if len(prepared) == len(lab.nodes):
                break
        size = sum(map(_received, lab.nodes)) - before
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_WITHIN)
        if len(prepared) < len(lab.nodes):
            said.seek(0)
            raise LabError(f"apply prepared {sorted(prepared)} only\n{said.read().decode()}")
    return max(prepared.values()), size


def _received(node: Node) -> int:
    return int(nodes.exec(node, ["sh", "-c", _RECEIVED]).stdout)


def _scp(lab: Lab, size: int) -> float:
    """Copy a file of this size to all nodes at once; return the seconds."""
    with tempfile.NamedTemporaryFile() as file, Path("/dev/urandom").open("rb") as noise:
        for _ in range(size >> 20):
            file.write(noise.read(1 << 20))
        file.flush()
        ssh = lab.ssh
        options = ["-i", str(ssh.key), "-o", f"UserKnownHostsFile={ssh.known_hosts}", "-o", "BatchMode=yes"]

        def copy(node: Node) -> None:
            timed(["scp", "-q", *options, file.name, f"{ssh.user}@{node.address}:sent"])

        began = time.monotonic()
        with ThreadPoolExecutor(len(lab.nodes)) as pool:
            list(pool.map(copy, lab.nodes))
        return time.monotonic() - began
