"""Throw-away SSH servers on loopback: paramiko's server side always, OpenSSH's sshd where it is installed."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport.known_hosts import Key
from kubeadm_py.transport.ssh import settings
from kubeadm_py.transport.ssh.host import SSHHost

FAKE_SUDO = Path(__file__).parent / "data" / "fake-sudo.sh"
SSHD = "/usr/sbin/sshd"
SEPARATION = Path("/run/sshd")


def make_key(path: Path, kind: str = "ed25519", passphrase: bytes | None = None) -> Path:
    """Write a private key and its public half as ssh-keygen does."""
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, 2048)
    encryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption)
    path.write_bytes(private)
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    Path(f"{path}.pub").write_bytes(public + b" test\n")
    return path


def public_line(path: Path) -> str:
    """Return `type base64` of a key made by make_key."""
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


class ParamikoServer:
    """Run what clients ask for with the local shell; every knob that tests need is an attribute."""

    def __init__(self, host_keys: list[Path], client_key: Path, environment: dict[str, str]) -> None:
        self.host_keys = host_keys
        self.allowed = {Key.parse(Path(f"{client_key}.pub").read_text()).blob}
        self.environment = environment
        self.tunnel_result: int | None = None
        self.tunnel_delay = 0.0
        self.commands: list[str] = []
        self.connections = 0
        self.silent = False
        self.methods = "publickey"
        self.login_result = paramiko.AUTH_SUCCESSFUL
        self.disabled: dict[str, list[str]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.spawn(self._accept)

    def spawn(self, target, *args) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(client)
            if not self.silent:
                transport = paramiko.Transport(client, disabled_algorithms=self.disabled)
                for path in self.host_keys:
                    transport.add_server_key(paramiko.PKey.from_path(path))
                self._transports.append(transport)
                try:
                    transport.start_server(event=threading.Event(), server=_Session(self))
                except paramiko.SSHException:
                    continue

    def open_connections(self) -> int:
        """Count the connections that are there now."""
        return sum(transport.is_active() for transport in self._transports)

    def drop(self) -> None:
        """Cut all connections as a dying machine's peer sees it."""
        for client in self._sockets:
            # A reset, not a polite end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        for transport in self._transports:
            transport.close()

    def execute(self, channel: paramiko.Channel, command: str) -> None:
        # The request's success is sent after this thread is started and must be there before the end.
        time.sleep(0.01)
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            bufsize=0,
            start_new_session=True,
        )
        self._processes.append(process)

        def feed() -> None:
            try:
                while data := channel.recv(65536):
                    process.stdin.write(data)
            except OSError:
                pass
            finally:
                process.stdin.close()

        def forward(pipe, send) -> None:
            with pipe:
                while data := pipe.read(65536):
                    try:
                        send(data)
                    except (OSError, EOFError, paramiko.SSHException):
                        # The client may have gone; paramiko says so in several ways.
                        return

        readers = [
            threading.Thread(target=forward, args=(process.stdout, channel.sendall), daemon=True),
            threading.Thread(target=forward, args=(process.stderr, channel.sendall_stderr), daemon=True),
        ]
        self.spawn(feed)
        for reader in readers:
            reader.start()
        code = process.wait()
        try:
            # As sshd does: the exit status at once, the close when nobody holds the pipes any more, and
            # no exit status for a signal.
            if code >= 0:
                channel.send_exit_status(code)
            for reader in readers:
                reader.join()
            channel.close()
        except Exception:
            # The client has closed the channel or gone; paramiko's server side says so in many ways.
            return

    def close(self) -> None:
        # shutdown wakes the thread in accept(); close alone would leave it there.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for client in self._sockets:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
        for thread in self._threads:
            thread.join(5)


class _Session(paramiko.ServerInterface):
    def __init__(self, server: ParamikoServer) -> None:
        self._server = server
        self._destination: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username):
        return self._server.methods

    def check_auth_publickey(self, username, key):
        return self._server.login_result if key.asbytes() in self._server.allowed else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self._server.commands.append(command.decode())
        self._server.spawn(self._server.execute, channel, command.decode())
        return True

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        if self._server.tunnel_delay:
            time.sleep(self._server.tunnel_delay)
        if self._server.tunnel_result is not None:
            return self._server.tunnel_result
        try:
            sock = socket.create_connection(destination, 2)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        sock.settimeout(None)
        self._server._sockets.append(sock)
        self._server.spawn(self._join, sock, chanid)
        return paramiko.OPEN_SUCCEEDED

    def _join(self, sock, chanid) -> None:
        channel = None
        while channel is None:
            transport = self._server._transports[-1]
            for candidate in self._server._transports:
                channel = channel or candidate._channels.get(chanid)
            if channel is None and not transport.is_active():
                return

        def back() -> None:
            try:
                while data := sock.recv(65536):
                    channel.sendall(data)
            except OSError:
                pass
            # The client may have gone; paramiko says so in several ways.
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                channel.close()

        self._server.spawn(back)
        try:
            while data := channel.recv(65536):
                sock.sendall(data)
        except OSError:
            pass
        # It wakes the thread that reads from it; close alone would leave that waiting.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


class OpenSSHServer:
    """Run Debian's sshd as ourselves on a loopback port."""

    def __init__(self, folder: Path, host_keys: list[Path], client_key: Path, path: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._log = folder / "sshd.log"
        config = folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {client_key}.pub\nPermitRootLogin prohibit-password\n"
            f"SetEnv PATH={path}\n" + "".join(f"HostKey {key}\n" for key in host_keys)
        )
        # Debian's service makes it at boot; where that never ran, it is ours to make and to remove.
        self._made = os.geteuid() == 0 and not SEPARATION.exists()
        if self._made:
            SEPARATION.mkdir(mode=0o755, exist_ok=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
        deadline = time.monotonic() + 10
        while "listening" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                pytest.skip(f"sshd does not start here: {self._log.read_text()[:200]}")
            time.sleep(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._made:
            with contextlib.suppress(OSError):
                SEPARATION.rmdir()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keep the tester's own keys, agent, known hosts and SSH config out of it."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(settings, "SYSTEM_CONFIG", str(tmp_path / "no-system-config"))
    monkeypatch.setattr(settings, "SYSTEM_KNOWN_HOSTS", str(tmp_path / "no-system-known-hosts"))
    settings.ssh_config.cache_clear()
    yield folder
    settings.ssh_config.cache_clear()


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {
        "host": make_key(folder / "host"),
        "host-rsa": make_key(folder / "host-rsa", "rsa"),
        "other": make_key(folder / "other"),
        "client": make_key(folder / "client"),
        "client-ecdsa": make_key(folder / "client-ecdsa", "ecdsa"),
        "encrypted": make_key(folder / "encrypted", passphrase=b"passphrase"),
    }


@pytest.fixture
def remote_path(tmp_path):
    """Return a PATH whose first folder holds the fake sudo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(FAKE_SUDO, folder / "sudo")
    (folder / "sudo").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def sudo_mode(remote_path):
    """Say how the fake sudo behaves from now on."""

    def say(mode: str) -> None:
        (Path(remote_path.split(":")[0]) / "sudo-mode").write_text(mode)

    return say


@pytest.fixture
def server(keys, remote_path, tmp_path):
    made = ParamikoServer([keys["host"]], keys["client"], {"PATH": remote_path, "HOME": str(tmp_path)})
    yield made
    made.close()


@pytest.fixture
def another_server(keys, remote_path, tmp_path):
    made = ParamikoServer([keys["host"]], keys["client"], {"PATH": remote_path, "HOME": str(tmp_path)})
    yield made
    made.close()


@pytest.fixture(params=["paramiko", "openssh"])
def any_server(request, keys, remote_path, tmp_path):
    """Be one server after the other: what holds for ours must hold for the real thing."""
    if request.param == "openssh":
        if not Path(SSHD).exists():
            pytest.skip("OpenSSH's sshd is not installed")
        made = OpenSSHServer(tmp_path, [keys["host"]], keys["client"], remote_path)
    else:
        made = request.getfixturevalue("server")
    yield made
    if request.param == "openssh":
        made.close()


@pytest.fixture
def host(keys):
    """Make hosts that reach a server with the right key, pinned; closed at the end."""
    made = []

    def make(server, *, connect_timeout: float = 5.0, **changes) -> SSHHost:
        given = {
            "host": "127.0.0.1",
            "port": server.port,
            "user": getpass.getuser(),
            "identity_file": str(keys["client"]),
            "host_key": public_line(keys["host"]),
            "sudo": False,
        }
        if {"host_keys", "known_hosts"} & set(changes):
            given["host_key"] = ""
        one = SSHHost("n1", SSH(**{**given, **changes}), connect_timeout=connect_timeout)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
