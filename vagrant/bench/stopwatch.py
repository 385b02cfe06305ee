"""Time commands and the moments at which nodes become Ready."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
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
    """Call `start` and return the seconds until all named nodes are Ready; the API answers already."""
    watch = ReadyWatch(control_plane, names)
    try:
        watch.begin(30)
        started = time.monotonic()
        start()
        return watch.wait(timeout) - started
    finally:
        watch.end()


class ReadyWatch:
    """Note when nodes are Ready, as a watch on the API sees it.

    One watch costs the machine nothing while it waits; polling would slow down what is measured.
    """

    def __init__(self, control_plane: Node, names: Sequence[str]) -> None:
        self._control_plane = control_plane
        self._missing = set(names)
        self._connected, self._all_ready = threading.Event(), threading.Event()
        self._at = 0.0
        self._watch: subprocess.Popen[str] | None = None

    def begin(self, timeout: float) -> None:
        """Begin to watch an API that answers; return once it listed a node."""
        self._watch = subprocess.Popen(
            [
                *("docker", "exec", self._control_plane.container),
                # The other one may nothing before the first objects are there.
                *("kubectl", "--kubeconfig", "/etc/kubernetes/super-admin.conf"),
                *("get", "nodes", "--watch", "-o", f"jsonpath={_READY}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._follow, args=(self._watch.stdout,), daemon=True).start()
        if not self._connected.wait(timeout):
            raise LabError(f"the watch on nodes did not begin within {timeout:g} s")

    def _follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            # The control plane itself is listed first: the watch is there.
            self._connected.set()
            name, _, status = line.strip().partition(" ")
            if status == "True":
                self._missing.discard(name)
            if not self._missing:
                self._at = time.monotonic()
                self._all_ready.set()
                return

    def wait(self, timeout: float) -> float:
        """Return when (time.monotonic) the last of them was Ready; raise LabError after `timeout`."""
        if not self._all_ready.wait(timeout):
            raise LabError(f"not Ready after {timeout:g} s: {', '.join(sorted(self._missing))}")
        return self._at

    def end(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.terminate()
            self._watch.wait()
