"""Implement Host for tests: scripted answers, every round trip recorded."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.transport import script as scripts
from kubeadm_py.transport.base import ByteStream, Held, Result

OK = Result(0, b"", b"")

Matcher = str | re.Pattern[str] | Callable[[str], bool]
"""Text that a script contains, a pattern searched in it, or a predicate on it."""
Reply = Result | Exception | Callable[["Call"], Result]


@dataclass(frozen=True, slots=True)
class Call:
    """Hold one thing that was asked of a host.

    `kind` is connect, run, hold, read, write, tunnel, release or close; `text` the script, path or address;
    `data` what went to standard input or into the file.
    """

    kind: str
    text: str = ""
    data: bytes = b""
    mode: int = 0


@dataclass(slots=True)
class FakeHeld:
    """Stand for a held script; `cut` makes it look like a lost connection."""

    result: Result
    host: FakeHost
    released: bool = False

    def alive(self) -> bool:
        """Say whether it is held and the connection is there."""
        return not self.released and not self.host.lost and self.result.ok

    def beat(self) -> None:
        """Do nothing: nobody waits for it."""

    def release(self) -> None:
        """Release it."""
        self.host.calls.append(Call("release"))
        self.released = True


@dataclass(slots=True)
class FakeStream:
    """Carry bytes to nobody: `replies` come back in order, what was sent is kept in `sent`."""

    replies: list[bytes] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)

    def sendall(self, data: bytes, /) -> None:
        """Keep `data`."""
        self.sent += data

    def recv(self, size: int, /) -> bytes:
        """Return the next reply; empty at the end."""
        if not self.replies:
            return b""
        head = self.replies.pop(0)
        if len(head) > size:
            self.replies.insert(0, head[size:])
        return head[:size]

    def close(self) -> None:
        """Do nothing."""


class FakeHost:
    """Answer from a table: the last answer added whose matcher fits wins; else `default` (exit 0, silent).

    `files` are what `read` finds and `write` changes, by path. `tunnels` maps (address, port) to a stream
    or the error to raise; an address that is not there is refused. Set `lost` and every further call fails
    as on a lost connection; `unreachable` makes `connect` fail instead.
    """

    def __init__(self, name: str, *, default: Reply = OK) -> None:
        self.name = name
        self.default = default
        self.calls: list[Call] = []
        self.files: dict[str, bytes] = {}
        self.modes: dict[str, int] = {}
        self.tunnels: dict[tuple[str, int], ByteStream | Exception] = {}
        self.unreachable: KubeadmPyError | None = None
        self.lost = False
        self._answers: list[tuple[Matcher, Reply, bool]] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"FakeHost({self.name!r})"

    def answer(
        self, matcher: Matcher, reply: Reply | str | bytes, *, exit_code: int = 0, once: bool = False
    ) -> FakeHost:
        """Answer scripts that fit `matcher`: text is standard output; `once` for the next one only."""
        if isinstance(reply, str):
            reply = reply.encode()
        if isinstance(reply, bytes):
            reply = Result(exit_code, reply, b"")
        self._answers.append((matcher, reply, once))
        return self

    def round_trips(self, *kinds: str) -> int:
        """Count round trips: runs, reads and writes, or calls of the given kinds."""
        wanted = kinds or ("run", "hold", "read", "write")
        return sum(call.kind in wanted for call in self.calls)

    @property
    def scripts(self) -> list[str]:
        """Return the scripts that were run or held, in order."""
        return [call.text for call in self.calls if call.kind in {"run", "hold"}]

    def approach(self) -> None:
        """Do nothing: what a connection is like shows in `connect`."""

    def connect(self) -> None:
        """Record it; fail where `unreachable` is set."""
        self.calls.append(Call("connect"))
        if self.unreachable is not None:
            raise self.unreachable

    def run(
        self,
        script: str,
        *,
        stdin: bytes | Iterable[bytes] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Record the script with all of its input and answer from the table."""
        del timeout
        result = self._reply(Call("run", script, b"".join(scripts.chunks(b"", stdin))))
        if on_line is not None:
            for line in result.stdout.decode(errors="replace").splitlines():
                on_line(line)
        return result

    def hold(self, script: str, *, until: str, timeout: float) -> Held:
        """Record the script and answer from the table: a Held whose result ends before `until`."""
        del timeout
        result = self._reply(Call("hold", script))
        before, found, _ = result.stdout.partition(until.encode() + b"\n")
        return FakeHeld(Result(result.exit_code, before if found else result.stdout, result.stderr), self)

    def read(self, path: str) -> bytes:
        """Return what `files` has."""
        self._note(Call("read", path))
        if path not in self.files:
            raise FileNotFoundError(2, f"no such file on {self.name}", path)
        return self.files[path]

    def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Put the content into `files`, its mode into `modes`."""
        self._note(Call("write", path, content, mode))
        self.files[path] = content
        self.modes[path] = mode

    @contextlib.contextmanager
    def tunnel(self, address: str, port: int, timeout: float) -> Iterator[ByteStream]:
        """Yield the stream that `tunnels` has, or raise its error."""
        del timeout
        self._note(Call("tunnel", f"{address} {port}"))
        refused = ConnectionRefusedError(f"{self.name}: {address} {port} refuses connections")
        stream = self.tunnels.get((address, port), refused)
        if isinstance(stream, Exception):
            raise stream
        try:
            yield stream
        finally:
            stream.close()

    def close(self) -> None:
        """Record it."""
        self.calls.append(Call("close"))

    def _note(self, call: Call) -> None:
        self.calls.append(call)
        if self.lost:
            what = scripts.title(call.text) if call.kind in {"run", "hold"} else f"{call.kind} {call.text}"
            raise UnreachableError(f"the connection was lost while {what} was running", host=self.name)

    def _reply(self, call: Call) -> Result:
        self._note(call)
        with self._lock:
            reply = self._chosen(call.text)
        if isinstance(reply, Exception):
            raise reply
        return reply(call) if callable(reply) else reply

    def _chosen(self, script: str) -> Reply:
        for index in range(len(self._answers) - 1, -1, -1):
            matcher, reply, once = self._answers[index]
            if _fits(matcher, script):
                if once:
                    del self._answers[index]
                return reply
        return self.default


def _fits(matcher: Matcher, script: str) -> bool:
    if isinstance(matcher, str):
        return matcher in script
    if isinstance(matcher, re.Pattern):
        return matcher.search(script) is not None
    return matcher(script)
