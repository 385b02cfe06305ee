"""Implement Host for this very machine."""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kubeadm_py.errors import KubeadmPyError, PreflightError, WaitTimeoutError
from kubeadm_py.transport import files
from kubeadm_py.transport import script as scripts
from kubeadm_py.transport.base import BEAT, ByteStream, Held, Result
from kubeadm_py.transport.become import Become, refused
from kubeadm_py.transport.output import Output

_LINGER = 2.0
"""Seconds of silence after the script's end until we stop listening to children that it left behind."""


class LocalHost:
    """Run things as root on this very machine, through `sudo -n` where we are not root ourselves."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"LocalHost({self.name!r})"

    def approach(self) -> None:
        """Do nothing: we are there."""

    def connect(self) -> None:
        """Do nothing: we are there."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def run(
        self,
        script: str,
        *,
        stdin: bytes | Iterable[bytes] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a POSIX shell script as root; see Host.run."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with _Process(self.name, script, on_line) as process:
            process.begin(stdin, keep_open=False)
            return process.end(deadline)

    def hold(self, script: str, *, until: str, timeout: float) -> Held:
        """Run a script until it prints the line `until` and leave it running; see Host.hold."""
        deadline = time.monotonic() + timeout
        process = _Process(self.name, script, None)
        try:
            process.begin(None, keep_open=True)
            if process.listen(deadline, lambda: process.output.before_line(until) is not None):
                printed = process.output.before_line(until) or b""
                return _HeldProcess(Result(0, printed, bytes(process.output.stderr)), process)
            result = process.end(deadline)
            process.close()
            return _HeldProcess(result, process)
        except BaseException:
            process.close()
            raise

    def read(self, path: str) -> bytes:
        """Return a file's content; raise FileNotFoundError where there is none."""
        return files.read(self, path)

    def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write one file atomically as root, with its final mode from the first byte."""
        files.write(self, path, content, mode)

    @contextlib.contextmanager
    def tunnel(self, address: str, port: int, timeout: float) -> Iterator[ByteStream]:
        """Open a TCP connection; raise ConnectionRefusedError or TimeoutError by cause."""
        try:
            sock = socket.create_connection((address, port), timeout)
        except (ConnectionRefusedError, TimeoutError):
            raise
        except OSError as error:
            raise TimeoutError(f"{address} port {port} cannot be reached: {error.strerror}") from error
        with sock:
            yield sock


class _Process:
    """Run one script in a session of its own, so that a Ctrl-C on our terminal is for us alone."""

    def __init__(self, host: str, script: str, on_line: Callable[[str], None] | None) -> None:
        self._host = host
        self._title = scripts.title(script)
        self._become = Become(getpass.getuser(), sudo=os.geteuid() != 0)
        self._envelope = scripts.Envelope.of(script)
        self.output = Output(self._envelope.marker, on_line)
        self._feeder: threading.Thread | None = None
        self._feed_error: Exception | None = None
        try:
            self._process = subprocess.Popen(
                self._become.argv(self._envelope.bootstrap),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise PreflightError(
                f"there is no {error.filename} on this machine, and {self._become.user} is not root",
                host=host,
                fix="run this as root",
            ) from error
        if self._process.stdin is None or self._process.stdout is None or self._process.stderr is None:
            raise RuntimeError("subprocess made no pipes")
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        self._closing = False
        self._pipes = {
            self._out.fileno(): self.output.add_stdout,
            self._err.fileno(): self.output.add_stderr,
        }

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, stdin: bytes | Iterable[bytes] | None, *, keep_open: bool) -> None:
        """Send the script and what it reads; `keep_open` leaves its standard input open."""
        self._feeder = threading.Thread(target=self._feed, args=(stdin, keep_open), daemon=True)
        self._feeder.start()

    def listen(self, deadline: float | None, until: Callable[[], bool] = lambda: False) -> bool:
        """Collect output until `until` says so (True) or the script has ended (False)."""
        poll = select.poll()
        for descriptor in self._pipes:
            poll.register(descriptor, select.POLLIN)
        silent_since = time.monotonic()
        ended = False
        while self._pipes:
            for descriptor, _ in poll.poll(200):
                data = os.read(descriptor, 1 << 16)
                silent_since = time.monotonic()
                if data:
                    self._pipes[descriptor](data)
                else:
                    poll.unregister(descriptor)
                    del self._pipes[descriptor]
            if until():
                return True
            if self._process.poll() is not None and not ended:
                # What it printed last may lie there still, however long it was silent before.
                ended, silent_since = True, time.monotonic()
            if ended and time.monotonic() - silent_since > _LINGER:
                break
            self._check_deadline(deadline)
        return until()

    def end(self, deadline: float | None) -> Result:
        """Wait for the script's end and return how it ended."""
        self.listen(deadline)
        while self._process.poll() is None:
            self._check_deadline(deadline)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)
        self.output.end()
        if self._feed_error is not None:
            raise self._feed_error
        code = self._process.returncode
        if not self.output.started:
            raise refused(self._host, self._become, code, self.output)
        # As a shell reports it: 128 and the signal's number.
        return Result(128 - code if code < 0 else code, bytes(self.output.stdout), bytes(self.output.stderr))

    def alive(self) -> bool:
        """Say whether the script still runs."""
        return self._process.poll() is None

    def beat(self) -> None:
        """Send a byte to the script's standard input, unless it has ended or does not read."""
        with contextlib.suppress(OSError, ValueError):
            os.write(self._in.fileno(), BEAT)

    def finish_input(self) -> None:
        """Close the script's standard input, once all that was to be sent has been."""
        if self._feeder is not None:
            self._feeder.join()
        self._in.close()

    def close(self) -> None:
        """Close all pipes; a script that still runs goes on, as it would on a remote host."""
        self._closing = True
        self.finish_input()
        self._out.close()
        self._err.close()
        if self._process.poll() is None:
            # Somebody must take its exit status, or it stays as a zombie.
            threading.Thread(target=self._process.wait, daemon=True).start()

    def _feed(self, stdin: bytes | Iterable[bytes] | None, keep_open: bool) -> None:
        poll = select.poll()
        os.set_blocking(self._in.fileno(), False)
        poll.register(self._in.fileno(), select.POLLOUT)
        try:
            for chunk in scripts.chunks(self._envelope.payload, stdin):
                view = memoryview(chunk)
                while view and not self._closing:
                    if poll.poll(200):
                        view = view[os.write(self._in.fileno(), view) :]
                if self._closing:
                    return
        except BrokenPipeError:
            # The script ended without reading all of its input, as it may.
            return
        except Exception as error:
            # The source of the input failed; `end` raises it.
            self._feed_error = error
        finally:
            if not keep_open:
                self._in.close()

    def _check_deadline(self, deadline: float | None) -> None:
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeoutError(
                f"{self._title} did not end in time", host=self._host, details=self.output.last_lines()
            )


@dataclass(slots=True)
class _HeldProcess:
    """Stand for a script that lives until its standard input closes."""

    result: Result
    process: _Process

    def alive(self) -> bool:
        """Say whether the script is still there."""
        return self.process.alive()

    def beat(self) -> None:
        """Send a byte to the script, unless it has ended."""
        self.process.beat()

    def release(self) -> None:
        """Close the script's standard input, wait up to two seconds for its end, close its pipes."""
        if self.alive():
            self.process.finish_input()
            with contextlib.suppress(KubeadmPyError):
                # Slow: closing the pipes is all that is left to do.
                self.process.end(time.monotonic() + 2.0)
        self.process.close()
