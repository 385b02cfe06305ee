"""Time commands and the moments at which nodes become Ready."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.process import LabError
from lab.topology import Node

_READY = '{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}'


def timed(command: Sequence[str], *, stdin: str = "") -> float:
    """Run a command and return its seconds; raise LabError with its output where it fails."""
    started = time.monotonic()
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise LabError(f"{' '.join(command[:6])}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return seconds


@dataclass(frozen=True)
class Spent:
    """Hold what a command needed."""

    seconds: float
    """From its start to its end."""
    processors: float
    """Seconds of processors, of this machine's alone."""
    megabytes: float
    """The most memory that it had at a time."""
    said: str


def spent(command: Sequence[str]) -> Spent:
    """Run a command and return what it needed; raise LabError with its output where it fails."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        elapsed = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode != 0:
        raise LabError(f"{' '.join(command[:6])}: exit {process.returncode}\n{text}")
    return Spent(elapsed, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def until_ready(
    control_plane: Node, names: Sequence[str], start: Callable[[], object], timeout: float
) -> float:
    """Call `start` and return the seconds until all named nodes are Ready, as a watch on the API sees it.

    One watch costs the machine nothing while it waits; polling would slow down what is measured.
    """
    watch = subprocess.Popen(
        [
            *("docker", "exec", control_plane.container),
            *("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"),
            *("get", "nodes", "--watch", "-o", f"jsonpath={_READY}"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    missing = set(names)
    ready_at = 0.0
    connected = threading.Event()
    all_ready = threading.Event()

    def follow() -> None:
        nonlocal ready_at
        assert watch.stdout is not None
        for line in watch.stdout:
            # The control plane itself is listed first: the watch is there.
            connected.set()
            name, _, status = line.strip().partition(" ")
            if status == "True":
                missing.discard(name)
            if not missing:
                ready_at = time.monotonic()
                all_ready.set()
                return

    threading.Thread(target=follow, daemon=True).start()
    try:
        if not connected.wait(30):
            raise LabError("the watch on nodes did not begin within 30 s")
        started = time.monotonic()
        start()
        if not all_ready.wait(timeout):
            raise LabError(f"not Ready after {timeout:g} s: {', '.join(sorted(missing))}")
        return ready_at - started
    finally:
        watch.terminate()
        watch.wait()
