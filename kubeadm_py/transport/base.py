"""Say what a host can do for us, whatever reaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

BEAT = b"."
"""What a script that is held gets from time to time."""


@dataclass(frozen=True, slots=True)
class Result:
    """Hold how a script ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def ok(self) -> bool:
        """Say whether the script succeeded."""
        return self.exit_code == 0


class ByteStream(Protocol):
    """Carry bytes to an address as seen from a host (a tunnel)."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""

    def recv(self, size: int, /) -> bytes:
        """Return up to `size` bytes; empty at the end."""

    def close(self) -> None:
        """Close both directions."""


class Held(Protocol):
    """Stand for a script that goes on running on the host, holding a lock there."""

    result: Result
    """What the script printed up to its `until` line."""

    def alive(self) -> bool:
        """Say whether the connection and the script are still there."""

    def beat(self) -> None:
        """Send a byte to the script's standard input, where one can be sent: we are still there."""

    def release(self) -> None:
        """Close the script's standard input and wait shortly for its end."""


class Host(Protocol):
    """Run things as root on one host. Each `run`, `read` and `write` costs one round trip.

    Every method raises UnreachableError when the connection cannot be made or is lost (the message says
    which), HostKeyError when the host's key is not the expected one, and WaitTimeoutError when `timeout`
    (seconds) runs out.
    """

    name: str

    def approach(self) -> None:
        """Begin to connect and return at once; the next `connect` tells how that ended."""

    def connect(self) -> None:
        """Connect and authenticate; a no-op when connected."""

    def run(
        self,
        script: str,
        *,
        stdin: bytes | Iterable[bytes] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a POSIX shell script as root; the script travels on standard input, never in argv.

        `stdin` is what the script itself reads from its standard input. `on_line` sees each line of its
        standard output as it arrives. A non-zero exit is returned, not raised.
        """

    def hold(self, script: str, *, until: str, timeout: float) -> Held:
        """Run a script that prints the line `until` and then lives until its standard input closes.

        A script that ends before that line gives a Held whose `result` has its exit code.
        """

    def read(self, path: str) -> bytes:
        """Return a file's content; raise FileNotFoundError where there is none."""

    def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write one file atomically as root, with its final mode from the first byte."""

    def tunnel(self, address: str, port: int, timeout: float) -> AbstractContextManager[ByteStream]:
        """Open a TCP connection from the host; raise ConnectionRefusedError or TimeoutError by cause."""

    def close(self) -> None:
        """Close the connection; a no-op when closed."""
