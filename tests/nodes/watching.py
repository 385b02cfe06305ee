"""Watch a cluster from outside and from its nodes while something is done to it."""

from __future__ import annotations

import itertools
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab import nodes
from lab.topology import Node

PORTS = {"etcd": 2379, "kube-apiserver": 6443, "kube-controller-manager": 10257, "kube-scheduler": 10259}
_EVERY_SECONDS = 0.2
_STOP = "/run/watching"
# /proc/net/tcp has ports in hex, and 0A for a socket that listens.
_LISTENS = f"""
: >{_STOP}
while [ -e {_STOP} ]; do
  line=$(date +%s.%N)
  for port in {" ".join(f"{port:04X}" for port in PORTS.values())}; do
    if grep -q "^ *[0-9]*: [0-9A-F]*:$port [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; then
      line="$line 1"
    else
      line="$line 0"
    fi
  done
  echo "$line"
  sleep {_EVERY_SECONDS}
done
"""


@dataclass
class Watch:
    """What was seen: for each node when which of its components was away, and how long the API was silent."""

    away: dict[str, list[tuple[float, frozenset[str]]]] = field(default_factory=dict)
    silence: float = 0.0
    asked: int = 0

    def away_at_once(self) -> list[tuple[float, dict[str, frozenset[str]]]]:
        """Return the moments at which components of more than one node were away."""
        moments: dict[int, dict[str, frozenset[str]]] = {}
        for name, seen in self.away.items():
            for when, missing in seen:
                if missing:
                    moments.setdefault(int(when / _EVERY_SECONDS), {})[name] = missing
        return [(moment * _EVERY_SECONDS, found) for moment, found in moments.items() if len(found) > 1]

    @property
    def stalled(self) -> float:
        """Return by how much the nodes' own look at themselves was ever late: their machine had no time."""
        moments = [[when for when, _ in seen] for seen in self.away.values()]
        gaps = [after - before for each in moments for before, after in itertools.pairwise(each)]
        return max(0.0, max(gaps, default=0.0) - 2 * _EVERY_SECONDS)

    def was_away(self, name: str) -> frozenset[str]:
        """Return what was ever away on a node."""
        return frozenset(each for _, missing in self.away[name] for each in missing)


@contextmanager
def watching(control_planes: Sequence[Node]) -> Iterator[Watch]:
    """Watch these nodes' components, and ask the API, by whichever of them answers, all the time."""
    found = Watch()
    done = threading.Event()
    threads = [threading.Thread(target=_listen, args=(node, found)) for node in control_planes]
    threads.append(threading.Thread(target=_ask, args=(control_planes, found, done)))
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for node in control_planes:
            nodes.exec(node, ["rm", "-f", _STOP])
        for thread in threads:
            thread.join(30)


def _listen(node: Node, found: Watch) -> None:
    seen = nodes.exec(node, ["sh"], stdin=_LISTENS, timeout=3600, check=False).stdout
    listed = []
    for line in seen.splitlines():
        when, *there = line.split()
        missing = frozenset(name for name, word in zip(PORTS, there, strict=True) if word == "0")
        listed.append((float(when), missing))
    found.away[node.name] = listed


def _ask(control_planes: Sequence[Node], found: Watch, done: threading.Event) -> None:
    """Ask as a client that goes on to the next API server where one does not answer."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    last = time.monotonic()
    turn = 0
    while not done.is_set():
        node = control_planes[turn % len(control_planes)]
        url = f"https://{node.address}:{PORTS['kube-apiserver']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=1, context=unchecked) as answer:
                well = answer.status == 200
        except (OSError, urllib.error.URLError):
            well = False
        now = time.monotonic()
        found.asked += 1
        if well:
            found.silence, last = max(found.silence, now - last), now
            time.sleep(_EVERY_SECONDS / 2)
        else:
            turn += 1
    found.silence = max(found.silence, time.monotonic() - last)


_KNOCK = """
url=$1
last=$(date +%s%N) longest=0 asked=0 failed=0
: >/run/knocking
while [ -e /run/knocking ]; do
  if curl -s -o /dev/null --connect-timeout 0.4 --max-time 1 "$url"; then
    now=$(date +%s%N)
    gap=$(((now - last) / 1000000))
    [ $gap -le $longest ] || longest=$gap
    last=$now
  else
    failed=$((failed + 1))
  fi
  asked=$((asked + 1))
  sleep 0.02
done
now=$(date +%s%N)
gap=$(((now - last) / 1000000))
[ $gap -le $longest ] || longest=$gap
echo "$asked $failed $longest"
"""


@dataclass(frozen=True)
class Knocks:
    """How often a service was asked from a node, each time by a new connection, and how it answered."""

    asked: int
    failed: int
    longest_ms: int
    """The longest time between two answers."""


@contextmanager
def knocking(asking: Sequence[Node], url: str) -> Iterator[dict[str, Knocks]]:
    """Ask a service from nodes all the time; what came of it is there at the end."""
    found: dict[str, Knocks] = {}

    def knock(node: Node) -> None:
        said = nodes.exec(node, ["sh", "-s", url], stdin=_KNOCK, timeout=3600, check=False).stdout
        asked, failed, longest = map(int, said.split())
        found[node.name] = Knocks(asked, failed, longest)

    threads = [threading.Thread(target=knock, args=(node,)) for node in asking]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for node in asking:
            nodes.exec(node, ["rm", "-f", "/run/knocking"])
        for thread in threads:
            thread.join(30)
