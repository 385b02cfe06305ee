"""Implement Host over SSH: one connection a host, one raw channel a round trip."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import paramiko

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport import files
from kubeadm_py.transport.base import ByteStream, Held, Result
from kubeadm_py.transport.become import Become
from kubeadm_py.transport.ssh.execution import Execution, HeldExecution, lost
from kubeadm_py.transport.ssh.link import Link, open_link
from kubeadm_py.transport.ssh.settings import sudo_password

_FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)


class SSHHost:
    """Run things as root on a host over SSH.

    Methods may be called from several threads. A lost connection is made again by `connect` only, never
    behind the back of whoever relies on what was held on it.
    """

    def __init__(self, name: str, ssh: SSH, *, connect_timeout: float = 10.0) -> None:
        self.name = name
        self._ssh = ssh
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._tunnel_lock = threading.Lock()
        self._link: Link | None = None
        self._approached: Future[None] | None = None
        self._password: Secret | None = None

    def __repr__(self) -> str:
        return f"SSHHost({self.name!r})"

    def approach(self) -> None:
        """Begin to connect and return at once; the next `connect` tells how that ended."""
        with self._lock:
            if self._approached is not None:
                return
            approached = self._approached = Future[None]()

        def work() -> None:
            try:
                self._connect()
            except BaseException as error:
                approached.set_exception(error)
            else:
                approached.set_result(None)

        # A daemon: whoever leaves at once does not wait for a machine that may never answer.
        threading.Thread(target=work, daemon=True).start()

    def connect(self) -> None:
        """Connect and authenticate; a no-op when connected."""
        with self._lock:
            approached, self._approached = self._approached, None
        if approached is not None:
            approached.result()
            return
        self._connect()

    def _connect(self) -> None:
        with self._connecting:
            if self._link is not None and self._link.transport.is_active():
                return
            if self._ssh.sudo_password_file and self._password is None:
                self._password = Secret(sudo_password(self.name, self._ssh))
            if self._link is not None:
                self._link.close()
                self._link = None
            self._link = open_link(self.name, self._ssh, self._connect_timeout)

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
        with self._execution(script, on_line) as execution:
            execution.begin(stdin, keep_open=False, deadline=deadline)
            return execution.end(deadline)

    def hold(self, script: str, *, until: str, timeout: float) -> Held:
        """Run a script until it prints the line `until` and leave it running; see Host.hold."""
        deadline = time.monotonic() + timeout
        execution = self._execution(script, None)
        try:
            execution.begin(None, keep_open=True, deadline=deadline)
            if execution.listen(deadline, lambda: execution.output.before_line(until) is not None):
                printed = execution.output.before_line(until) or b""
                return HeldExecution(Result(0, printed, bytes(execution.output.stderr)), execution)
            result = execution.end(deadline)
            execution.close()
            return HeldExecution(result, execution)
        except BaseException:
            execution.close()
            raise

    def read(self, path: str) -> bytes:
        """Return a file's content; raise FileNotFoundError where there is none."""
        return files.read(self, path)

    def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write one file atomically as root, with its final mode from the first byte."""
        files.write(self, path, content, mode)

    @contextlib.contextmanager
    def tunnel(self, address: str, port: int, timeout: float) -> Iterator[ByteStream]:
        """Open a TCP connection from the host; see Host.tunnel."""
        channel = self._open_tunnel(self._connected(), address, port, timeout)
        channel.settimeout(timeout)
        try:
            yield channel
        finally:
            channel.close()

    def close(self) -> None:
        """Close the connection; a no-op when closed."""
        with self._lock:
            approached, self._approached = self._approached, None
        if approached is not None and not approached.done():
            # Nobody waits for a machine that may never answer, and no connection is left behind either.
            approached.add_done_callback(lambda _: self._disconnect())
            return
        self._disconnect()

    def _disconnect(self) -> None:
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> Link:
        link = self._link
        if link is None:
            self.connect()
            link = self._link
        if link is None or not link.transport.is_active():
            raise lost(self.name, "before this could be asked of the host")
        return link

    def _execution(self, script: str, on_line: Callable[[str], None] | None) -> Execution:
        link = self._connected()
        user = link.settings.user
        sudo = user != "root" if self._ssh.sudo is None else self._ssh.sudo
        become = Become(user, sudo, self._password if sudo else None)
        return Execution(link.transport, self.name, script, become, on_line)

    def _open_tunnel(self, link: Link, address: str, port: int, timeout: float) -> Any:
        place = join_host_port(address, port)
        # One at a time: paramiko keeps the reason of a refusal per connection, not per request.
        with self._tunnel_lock:
            try:
                return link.transport.open_channel(
                    "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout
                )
            except paramiko.ChannelException as error:
                raise self._tunnel_refused(place, error.code, link.transport.refusal) from error
            except (paramiko.SSHException, EOFError, OSError) as error:
                if not link.transport.is_active():
                    raise lost(self.name, f"while {place} was tried from there") from error
                raise TimeoutError(f"{self.name}: {place} did not answer within {timeout:g} s") from error

    def _tunnel_refused(self, place: str, code: int, reason: str) -> Exception:
        if code == _FORBIDDEN:
            return KubeadmPyError(
                "sshd forbids tunnels (AllowTcpForwarding no, or PermitOpen)",
                host=self.name,
                details=[f"wanted: {place}", f"sshd says: {reason}"],
                fix="set `AllowTcpForwarding local` in /etc/ssh/sshd_config, then: systemctl reload ssh",
            )
        if "refused" in reason.lower():
            return ConnectionRefusedError(f"{self.name}: {place} refuses connections")
        # No route, unreachable, unknown name, timed out at the kernel's own limit: none answers.
        return TimeoutError(f"{self.name}: {place} cannot be reached: {reason}")
