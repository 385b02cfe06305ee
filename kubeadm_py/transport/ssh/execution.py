"""Run one script on one raw channel: its text and input go in while its output comes out."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import paramiko

from kubeadm_py.errors import KubeadmPyError, PreflightError, UnreachableError, WaitTimeoutError
from kubeadm_py.model.secret import Secret
from kubeadm_py.transport import script as scripts
from kubeadm_py.transport.base import BEAT, Result
from kubeadm_py.transport.become import Become, refused
from kubeadm_py.transport.output import Output

_LINGER = 2.0
"""Seconds of silence after the script's end until we stop listening to children that it left behind."""
_SUDO_PATIENCE = 30.0
_OPEN_TIMEOUT = 30.0


class Execution:
    """Run a script as root over `transport`; use as a context manager, which closes the channel."""

    def __init__(
        self,
        transport: paramiko.Transport,
        host: str,
        script: str,
        become: Become,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.title = scripts.title(script)
        self._transport = transport
        self._host = host
        self._become = become
        self._envelope = scripts.Envelope.of(script)
        self.output = Output(self._envelope.marker, on_line)
        self._feeder: threading.Thread | None = None
        self._feed_error: Exception | None = None
        try:
            self._channel = transport.open_session(timeout=_OPEN_TIMEOUT)
            self._channel.exec_command(become.command(self._envelope.bootstrap))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._cannot_start(error) from error
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)

    def __enter__(self) -> Execution:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(
        self, stdin: bytes | Iterable[bytes] | None, *, keep_open: bool, deadline: float | None
    ) -> None:
        """Send the script and what it reads; `keep_open` leaves its standard input open.

        A sudo password goes first, alone, and only after sudo has asked for it with our nonce.
        """
        if self._become.password is not None:
            self._answer_sudo(self._become.password, deadline)
        chunks = scripts.chunks(self._envelope.payload, stdin)
        self._feeder = threading.Thread(target=self._feed, args=(chunks, keep_open), daemon=True)
        self._feeder.start()

    def listen(self, deadline: float | None, until: Callable[[], bool] = lambda: False) -> bool:
        """Collect output until `until` says so (True) or the script has ended (False).

        Raise WaitTimeoutError at `deadline` (time.monotonic).
        """
        silent_since = time.monotonic()
        ended = False
        while True:
            if self._collect():
                silent_since = time.monotonic()
            if until():
                return True
            if self._channel.eof_received or self._channel.closed:
                # What came before the end may have arrived since we looked.
                self._collect()
                return until()
            if self._channel.exit_status_ready() and not ended:
                # What it printed last may come after that, however long it was silent before.
                ended, silent_since = True, time.monotonic()
            if ended and time.monotonic() - silent_since > _LINGER:
                return False
            # Data and the end wake us; an exit status alone does not.
            self._wait(deadline, 0.5)

    def end(self, deadline: float | None) -> Result:
        """Wait for the script's end and return how it ended."""
        self.listen(deadline)
        while not self._channel.status_event.wait(_left(deadline, 1.0)):
            self._check_deadline(deadline)
        self.output.end()
        code = self._channel.exit_status
        if self._feed_error is not None:
            raise self._feed_error
        if code < 0:
            raise self._without_exit_code()
        if not self.output.started:
            raise refused(self._host, self._become, code, self.output)
        return Result(code, bytes(self.output.stdout), bytes(self.output.stderr))

    def alive(self) -> bool:
        """Say whether the script may still be running and the connection is there."""
        return self._transport.is_active() and not (
            self._channel.closed or self._channel.exit_status_ready() or self._channel.eof_received
        )

    def beat(self) -> None:
        """Send a byte to the script's standard input, unless it has ended."""
        with contextlib.suppress(_Ended, EOFError):
            self._send(BEAT)

    def finish_input(self) -> None:
        """Close the script's standard input."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException):
            # It has ended by itself.
            return

    def close(self) -> None:
        """Close the channel and end the thread that feeds it."""
        self._channel.close()
        if self._feeder is not None and self._feeder is not threading.current_thread():
            self._feeder.join(5.0)

    def _feed(self, chunks: Iterator[bytes], keep_open: bool) -> None:
        piece = max(self._channel.out_max_packet_size - 64, 1024)
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                for start in range(0, len(view), piece):
                    self._send(bytes(view[start : start + piece]))
            if not keep_open:
                self.finish_input()
        except (_Ended, EOFError):
            # The script ended without reading all of its input, as it may.
            return
        except Exception as error:
            # The source of the input failed; `end` raises it. The script sees its input end early, which
            # those that take a lot of it notice by its size or digest.
            self._feed_error = error
            self._channel.close()

    def _send(self, piece: bytes) -> None:
        try:
            self._channel.sendall(piece)
        except (OSError, paramiko.SSHException) as error:
            raise _Ended from error

    def _answer_sudo(self, password: Secret, deadline: float | None) -> None:
        prompt = self._become.prompt
        patience = time.monotonic() + _SUDO_PATIENCE
        if deadline is not None:
            patience = min(patience, deadline)

        def asked() -> bool:
            return self.output.started or prompt in self.output.preface

        def answered() -> bool:
            return self.output.started or self.output.preface.count(prompt) > 1

        try:
            if self.listen(patience, asked) and not self.output.started:
                self._send(password.reveal() + b"\n")
                self.listen(patience, answered)
        except WaitTimeoutError as error:
            raise refused(self._host, self._become, -1, self.output) from error
        except _Ended:
            # It has ended; what it said tells why.
            self.listen(patience)
        if not self.output.started:
            self._channel.status_event.wait(1.0 if self._channel.eof_received else 0.0)
            if not self._transport.is_active():
                raise self._lost()
            raise refused(self._host, self._become, self._channel.exit_status, self.output)

    def _collect(self) -> bool:
        moved = False
        while self._channel.recv_ready() and (data := self._channel.recv(1 << 18)):
            self.output.add_stdout(data)
            moved = True
        while self._channel.recv_stderr_ready() and (data := self._channel.recv_stderr(1 << 18)):
            self.output.add_stderr(data)
            moved = True
        return moved

    def _wait(self, deadline: float | None, at_most: float) -> None:
        self._check_deadline(deadline)
        self._poll.poll(max(_left(deadline, at_most) * 1000, 1))

    def _check_deadline(self, deadline: float | None) -> None:
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeoutError(
                f"{self.title} did not end in time", host=self._host, details=self.output.last_lines()
            )

    def _without_exit_code(self) -> KubeadmPyError:
        # A connection that breaks closes its channels first and is marked as inactive a moment later.
        patience = time.monotonic() + 1.0
        while self._transport.is_active() and time.monotonic() < patience:
            time.sleep(0.02)
        if not self._transport.is_active():
            return self._lost()
        return KubeadmPyError(
            f"{self.title} was killed on the host",
            host=self._host,
            details=self.output.last_lines(),
            fix="out of memory, or a shutdown? look on the host: journalctl -k -e",
        )

    def _lost(self) -> UnreachableError:
        return lost(self._host, f"while {self.title} was running")

    def _cannot_start(self, error: Exception) -> KubeadmPyError:
        if not self._transport.is_active():
            return lost(self._host, f"before {self.title} could start")
        if isinstance(error, paramiko.ChannelException):
            return PreflightError(
                "sshd opens no further session on this connection",
                host=self._host,
                details=[f"sshd says: {error.text}"],
                fix="allow at least 4 in /etc/ssh/sshd_config (MaxSessions), then: systemctl reload ssh",
            )
        return PreflightError(
            "sshd does not let this user run commands",
            host=self._host,
            details=[str(error)],
            fix="see ForceCommand in /etc/ssh/sshd_config and command= in authorized_keys",
        )


@dataclass(slots=True)
class HeldExecution:
    """Stand for a script that lives on its channel until its standard input closes."""

    result: Result
    execution: Execution

    def alive(self) -> bool:
        """Say whether the connection and the script are still there."""
        return self.execution.alive()

    def beat(self) -> None:
        """Send a byte to the script, unless it has ended."""
        self.execution.beat()

    def release(self) -> None:
        """Close the script's standard input, wait up to two seconds for its end, close the channel."""
        if self.alive():
            self.execution.finish_input()
            with contextlib.suppress(KubeadmPyError):
                # Gone or slow: closing the channel is all that is left to do.
                self.execution.end(time.monotonic() + 2.0)
        self.execution.close()


class _Ended(Exception):
    """Say that the other side takes no more input."""


def lost(host: str, when: str) -> UnreachableError:
    """Return the error for a connection that was there and is no more."""
    return UnreachableError(
        f"the connection was lost {when}",
        host=host,
        fix="what was running there may still run; the same command again waits for it and goes on",
    )


def _left(deadline: float | None, at_most: float) -> float:
    return at_most if deadline is None else min(max(deadline - time.monotonic(), 0.0), at_most)
