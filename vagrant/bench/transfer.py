"""Measure how fast a bundle reaches six fresh nodes, beside six parallel scp of as many bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import network, nodes
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
_LOOKS = 0.1
_CHATTER = 1 << 20
"""Bytes a node that say nothing of the bundle: answers, the last actions."""
_GIB = 1 << 30


class Arrivals:
    """Follow how many bytes the nodes of a lab have received, from outside of them."""

    def __init__(self, lab: Lab) -> None:
        ports = Path(f"/sys/class/net/{network.bridge(lab.name)}/brif")
        self._counters = [Path(f"/sys/class/net/{port.name}/statistics/tx_bytes") for port in ports.iterdir()]
        if len(self._counters) != len(lab.nodes):
            raise LabError(f"{len(lab.nodes)} nodes are up, and {ports} has {len(self._counters)} ports")
        self._seen = [(time.monotonic(), self._total())]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop following."""
        self._ended.set()
        self._thread.join()

    @property
    def size(self) -> int:
        """Return how many bytes have come."""
        return self._seen[-1][1] - self._seen[0][1]

    @property
    def there(self) -> float:
        """Return the moment at which all of them had come, but for chatter."""
        enough = self._seen[-1][1] - _CHATTER * len(self._counters)
        return next(moment for moment, total in self._seen if total >= enough)

    def _follow(self) -> None:
        while not self._ended.wait(_LOOKS):
            self._seen.append((time.monotonic(), self._total()))

    def _total(self) -> int:
        return sum(int(counter.read_text()) for counter in self._counters)


def measure(rounds: int) -> list[Comparison]:
    """Send, in turns, until the last byte is there; what is done with it besides is told, and no transfer."""
    lab = nodes.up(LAB, (*CONTROL_PLANES, *WORKERS))
    config = config_with(lab, "transfer", addons=["flannel", "local-path-storage"])
    ours, theirs = [], []
    for _ in range(min(rounds, ROUNDS)):
        _renew(lab)
        seconds, prepared, size = _ours(lab, config)
        ours.append(seconds / (size / _GIB))
        # What the run began beside its transfers would slow the copies down.
        _renew(lab)
        theirs.append(_scp(lab, size // len(lab.nodes)) / (size / _GIB))
        say(
            f"bench: {size >> 20} MiB to six nodes: {ours[-1]:.1f} s a GiB, installed and imported after"
            f" {prepared / (size / _GIB):.1f} s, scp {theirs[-1]:.1f} s"
        )
    name = "a bundle to six fresh nodes, a GiB, beside scp"
    return [Comparison(name, tuple(ours), tuple(theirs), AT_MOST)]


def _renew(lab: Lab) -> None:
    for node in lab.nodes:
        nodes.fresh(node)


def _ours(lab: Lab, config: Path) -> tuple[float, float, int]:
    """Run apply until all hosts are prepared; return when all bytes were there, that end, and the bytes.

    Seconds count from the moment at which the first host is begun to be prepared.
    """
    arrivals = Arrivals(lab)
    command = [str(Path(sys.executable).with_name("kubeadm-py")), "apply", "--format", "json"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*command, "--config", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        assert process.stdout is not None
        began = 0.0
        prepared: dict[str, float] = {}
        for line in process.stdout:
            event = json.loads(line)
            if event.get("stage") != _PREPARE:
                continue
            if event.get("type") == "host-started":
                began = began or time.monotonic()
            if event.get("type") == "host-done":
                if event.get("error"):
                    break
                prepared[event["host"]] = time.monotonic()
            if len(prepared) == len(lab.nodes):
                break
        arrivals.end()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_WITHIN)
        if len(prepared) < len(lab.nodes):
            said.seek(0)
            raise LabError(f"apply prepared {sorted(prepared)} only\n{said.read().decode()}")
    return arrivals.there - began, max(prepared.values()) - began, arrivals.size


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
