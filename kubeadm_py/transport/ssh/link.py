"""Make authenticated connections, through other machines where need be, every host key checked."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import paramiko
from fabric import Connection

from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport.known_hosts import Key, Verifier
from kubeadm_py.transport.ssh.login import PublicKeyLogin
from kubeadm_py.transport.ssh.settings import Settings, connection_for

KEEPALIVE = 15
"""Seconds between keepalives; three that go unanswered end the connection."""
KEX_TIMEOUT = 20.0
AUTH_TIMEOUT = 30.0
WINDOW = 2**22
MAX_PACKET = 2**15
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
"""GCM first: one pass over the data instead of two; no CBC."""
_LOG = "kubeadm_py.ssh"

for _name in ("paramiko", _LOG):
    # Without a handler Python prints a library's errors on the terminal; they reach us as exceptions.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Transport(paramiko.Transport):
    """A paramiko transport that keeps the reason with which a server refuses a channel."""

    refusal = ""

    def _parse_channel_open_failure(self, m: paramiko.Message) -> None:
        copy = paramiko.Message(m.asbytes())
        copy.get_int()
        copy.get_int()
        self.refusal = copy.get_text()
        super()._parse_channel_open_failure(m)  # type: ignore[misc]


class _ProxyCommand(paramiko.ProxyCommand):
    """A ProxyCommand that leaves neither a zombie nor open pipes behind."""

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Link:
    """Hold a connection to one machine and those that it goes through."""

    def __init__(self, connection: Connection, settings: Settings, way: contextlib.ExitStack) -> None:
        self.settings = settings
        self.transport: Transport = connection.transport
        self._connection = connection
        self._way = way

    def close(self) -> None:
        """Close the connection, then let go of the machines on the way."""
        self._connection.close()
        self._way.close()


def open_link(name: str, ssh: SSH, timeout: float) -> Link:
    """Connect and authenticate; every way in which that fails is its own UnreachableError or HostKeyError."""
    connection, settings = connection_for(name, ssh)
    with contextlib.ExitStack() as way:
        sock = _way_to(settings, timeout, way)
        _open(connection, settings, sock, timeout)
        return Link(connection, settings, way.pop_all())


class _KeyPolicy(paramiko.MissingHostKeyPolicy):
    """Let our own verifier decide; the client knows no keys itself, so it asks about every host."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        del client, hostname
        self._verifier.check(Key(key.get_name(), key.asbytes()))


def _open(connection: Connection, settings: Settings, sock: Any, timeout: float) -> None:
    def transport(channel: Any, **_: Any) -> Transport:
        made = Transport(channel, default_window_size=WINDOW, default_max_packet_size=MAX_PACKET)
        options = made.get_security_options()
        options.ciphers = [cipher for cipher in CIPHERS if cipher in options.ciphers]
        options.key_types = _order_key_types(settings.verifier.known_types(), options.key_types)
        return made

    connection.client.set_missing_host_key_policy(_KeyPolicy(settings.verifier))
    connection.client.set_log_channel(_LOG)
    connection.connect_timeout = timeout + KEX_TIMEOUT
    connection.connect_kwargs = {
        "sock": sock,
        "auth_strategy": PublicKeyLogin(settings),
        "transport_factory": transport,
        "banner_timeout": timeout,
        "auth_timeout": AUTH_TIMEOUT,
    }
    try:
        connection.open()
    except BaseException as error:
        connection.client.close()
        sock.close()
        if isinstance(error, paramiko.SSHException | OSError | EOFError):
            raise _cannot_speak(settings, error) from error
        raise
    connection.transport.set_keepalive(KEEPALIVE)


def _order_key_types(known: list[str], possible: Any) -> list[str]:
    """Put the key types that we can check first, or a server with several keys shows us an unknown one."""
    wanted = []
    for kind in known:
        wanted += ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
    first = [kind for kind in dict.fromkeys(wanted) if kind in possible]
    return first + [kind for kind in possible if kind not in first]


def _way_to(settings: Settings, timeout: float, way: contextlib.ExitStack) -> Any:
    """Return something like a socket that leads to the host's sshd."""
    if settings.proxy_command:
        return _ProxyCommand(settings.proxy_command)
    if not settings.jumps:
        return _dial(settings, timeout)
    transport = way.enter_context(_bastions.through(settings, timeout))
    try:
        return transport.open_channel(
            "direct-tcpip", (settings.host, settings.port), ("127.0.0.1", 0), timeout=timeout
        )
    except (paramiko.SSHException, EOFError) as error:
        bastion = settings.jumps[-1].host
        raise UnreachableError(
            f"the bastion {bastion} cannot reach {settings.host} port {settings.port}: "
            f"{transport.refusal or error}",
            host=settings.name,
            fix=f"on {bastion}: is AllowTcpForwarding on, and does this work: "
            f"nc -vz {settings.host} {settings.port}",
        ) from error


def _dial(settings: Settings, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((settings.host, settings.port), timeout)
    except socket.gaierror as error:
        raise UnreachableError(
            f"cannot resolve {settings.host}: {error.strerror}",
            host=settings.name,
            fix="correct ssh.host or address, or add the name to DNS, /etc/hosts or ~/.ssh/config",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"cannot connect to {settings.host} port {settings.port}: {_reason(error, timeout)}",
            host=settings.name,
            fix=f"is the machine up, and does sshd listen there? try: ssh -p {settings.port} "
            f"{settings.user}@{settings.host}",
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A peer that vanished without a word is noticed after three keepalives, not a quarter of an hour.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3 * KEEPALIVE * 1000)
    return sock


def _reason(error: OSError, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    return (error.strerror or str(error)).lower()


def _cannot_speak(settings: Settings, error: Exception) -> KubeadmPyError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        summary = f"no SSH algorithm in common with {settings.host} port {settings.port}: {text}"
        fix = "the sshd there is older than ten years or restricted beyond what we speak: update or loosen it"
    elif "No existing session" in text:
        summary = f"the key exchange with {settings.host} port {settings.port} does not come to an end"
        fix = f"try: ssh -v -p {settings.port} {settings.user}@{settings.host}"
    elif "banner" in text.lower() or isinstance(error, EOFError | ConnectionResetError):
        summary = f"{settings.host} port {settings.port} answers, but not as an SSH server"
        fix = (
            "is it sshd that listens there? where it is, it may be refusing connections for now (MaxStartups)"
        )
    else:
        summary = f"cannot open an SSH session on {settings.host} port {settings.port}: {text}"
        fix = f"try: ssh -v -p {settings.port} {settings.user}@{settings.host}"
    return UnreachableError(summary, host=settings.name, details=[text], fix=fix)


class _Shared:
    """Count who uses a connection to a bastion; `future` ends when the first user has made it."""

    def __init__(self) -> None:
        self.future: Future[Link] = Future()
        self.users = 0

    def usable(self) -> bool:
        """Say whether the connection lives or is just being made."""
        if not self.future.done():
            return True
        return self.future.exception() is None and self.future.result().transport.is_active()


class _Bastions:
    """Share one connection to each bastion between all the hosts behind it.

    sshd drops new connections at random once ten are logging in (MaxStartups), so sixteen hosts must not
    come through sixteen connections.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[tuple[SSH, ...], _Shared] = {}

    @contextlib.contextmanager
    def through(self, settings: Settings, timeout: float) -> Iterator[Transport]:
        """Yield a transport to the last machine on the way, made by the first who asks."""
        key = settings.jumps
        with self._lock:
            shared = self._shared.get(key)
            mine = shared is None or not shared.usable()
            if shared is None or mine:
                shared = self._shared[key] = _Shared()
            shared.users += 1
        try:
            if mine:
                self._make(shared.future, settings, timeout)
            yield _result(shared.future, settings.name).transport
        finally:
            self._release(key, shared)

    def _make(self, future: Future[Link], settings: Settings, timeout: float) -> None:
        try:
            future.set_result(self._connect(settings, timeout))
        except BaseException as error:
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise

    def _connect(self, settings: Settings, timeout: float) -> Link:
        *before, last = settings.jumps
        connection, resolved = connection_for(f"bastion {last.host}", last)
        resolved = replace(resolved, jumps=tuple(before))
        with contextlib.ExitStack() as way:
            _open(connection, resolved, _way_to(resolved, timeout, way), timeout)
            return Link(connection, resolved, way.pop_all())

    def _release(self, key: tuple[SSH, ...], shared: _Shared) -> None:
        with self._lock:
            shared.users -= 1
            last = shared.users == 0
            if last and self._shared.get(key) is shared:
                del self._shared[key]
        if last and shared.future.exception() is None:
            shared.future.result().close()


_bastions = _Bastions()


def _result(future: Future[Link], name: str) -> Link:
    try:
        return future.result()
    except KubeadmPyError as error:
        # Every host behind the bastion gets its own error object, in its own name.
        raise type(error)(
            f"{error.host}: {error.summary}", host=name, details=error.details, fix=error.fix
        ) from error
