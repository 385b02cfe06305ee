"""Ask a cluster's API from its nodes all the time, and say how long it was silent."""

from __future__ import annotations

import itertools
import shlex
import time
from dataclasses import dataclass

from lab import nodes
from lab.topology import Node

SILENT_SECONDS = 3.0
"""What the API may be silent for, whatever is killed or moved."""
_CREDENTIALS = "/var/lib/kubelet/pki/kubelet-client-current.pem"
# Whoever asks gives up soon, as clients with a deadline do: later answers would count as silence anyway. The
# second address is the retry's.
_ASK = f"""ask() {{
  curl --disable -s -o /dev/null -w '%{{http_code}}' --noproxy '*' --connect-timeout 1 --max-time 2 \\
    --cacert /etc/kubernetes/pki/ca.crt --cert {_CREDENTIALS} --key {_CREDENTIALS} "$1"
}}
while [ ! -e /run/ask-no-more ]; do
  begin=$(date +%s.%N)
  code=$(ask "$1")
  if [ "$code" != 200 ] && [ "$2" != "$1" ]; then code=$(ask "$2"); fi
  echo "$begin $(date +%s.%N) $code"
  sleep 0.05
done >"$3"
"""


@dataclass(frozen=True)
class Request:
    """One request of a client in a node, in Unix time."""

    begin: float
    end: float
    code: str

    @property
    def answered(self) -> bool:
        return self.code == "200"


class Client:
    """Ask the API from a node, over and over, with a connection of its own for every request.

    `server` is by default the one that the node's kubelet asks; where it fails, `other` is asked.
    """

    def __init__(self, node: Node, path: str, server: str = "", other: str = "") -> None:
        self._node, self.path = node, path
        server = server or kubelet_server(node)
        self.about = f"{path} from {node.name} at {server}" + (f", else {other}" if other else "")
        self._file = f"/run/asked-{abs(hash(self.about))}"
        nodes.exec(node, ["sh", "-c", "rm -f /run/ask-no-more; cat >/run/ask"], stdin=_ASK)
        words = shlex.join([server + path, (other or server) + path, self._file])
        shell(node, f"sh /run/ask {words} </dev/null >/dev/null 2>&1 &")

    def stop(self) -> list[Request]:
        shell(self._node, "touch /run/ask-no-more; sleep 4")
        lines = [line.split() for line in shell(self._node, f"cat {self._file}").splitlines()]
        return [Request(float(begin), float(end), code) for begin, end, code in lines]


def kubelet_server(node: Node) -> str:
    """Return the URL that a node's kubelet asks."""
    return shell(node, "awk '/server:/ { print $2 }' /etc/kubernetes/kubelet.conf").strip()


@dataclass(frozen=True)
class Silence:
    """The longest time between two answers, and when it began."""

    seconds: float
    since: float


def longest_silence(requests: list[Request], since: float = 0.0, until: float = 0.0) -> Silence:
    """Return the longest time without an answer between two moments."""
    until = until or time.time()
    answers = [each.end for each in requests if each.answered and since <= each.end <= until]
    assert len(answers) > 20, f"only {len(answers)} answers of {len(requests)} requests"
    return max(
        (Silence(after - before, before) for before, after in itertools.pairwise(answers)),
        key=lambda silence: silence.seconds,
    )


def failed_twice(requests: list[Request], since: float, until: float) -> list[Request]:
    """Return the requests between two moments that failed although they were a retry."""
    later = [each for each in requests if since < each.begin < until]
    return [second for first, second in itertools.pairwise(later) if not (first.answered or second.answered)]


def shell(node: Node, script: str) -> str:
    return nodes.exec(node, ["sh", "-c", script]).stdout
