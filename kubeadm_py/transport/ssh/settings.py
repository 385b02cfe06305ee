"""Resolve how a host is reached: the config's word first, then ~/.ssh/config, then SSH's defaults."""

from __future__ import annotations

import functools
import glob
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fabric import Config, Connection
from paramiko import SSHConfig

from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded
from kubeadm_py.model.ssh import SSH, HostKeys
from kubeadm_py.transport.known_hosts import Key, Verifier

USER_CONFIG = "~/.ssh/config"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"
USER_KNOWN_HOSTS = "~/.ssh/known_hosts"
SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_INCLUDE_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Identities:
    """Say which private keys to log in with, in order."""

    files: tuple[str, ...]
    only: bool = False
    """Offer no other key of the agent (IdentitiesOnly)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold everything that one connection needs, resolved."""

    name: str
    """The node's name, for messages."""
    host: str
    port: int
    user: str
    identities: Identities
    verifier: Verifier
    jumps: tuple[SSH, ...]
    """Machines to go through, the nearest to us first."""
    proxy_command: str

    @property
    def address(self) -> str:
        """Return `user@host:port` for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


@functools.cache
def ssh_config(user: str, port: int | None) -> SSHConfig:
    """Read ~/.ssh/config, then /etc/ssh/ssh_config, once a process.

    `user` and `port` come first as if written for every host, so that they win and %r and %p mean them.
    """
    config = SSHConfig()
    given = [f"  User {user}"] if user else []
    given += [f"  Port {port}"] if port else []
    config.parse(["Host *", *given])
    for name, base in ((USER_CONFIG, "~/.ssh"), (SYSTEM_CONFIG, "/etc/ssh")):
        path = expanded(name)
        try:
            config.parse(_expanded(path, expanded(base)).splitlines())
        except FileNotFoundError:
            continue
        except Exception as error:
            raise UsageError(f"{path} cannot be read: {error}", fix=f"mend {path}") from error
    return config


def _expanded(path: Path, base: Path, depth: int = 0) -> str:
    """Return a file's text with its Include lines replaced, which paramiko does not do."""
    lines = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.strip().replace("=", " ", 1).split(None, 1)
        if len(words) < 2 or words[0].lower() != "include":
            lines.append(line)
            continue
        if depth >= _INCLUDE_DEPTH:
            raise UsageError(f"{path} includes itself")
        for pattern in shlex.split(words[1]):
            # Not Path.glob, which takes no absolute pattern.
            names = sorted(glob.glob(str(base / expanded(pattern))))  # noqa: PTH207
            lines += [_expanded(Path(name), base, depth + 1) for name in names]
    return "\n".join(lines)


def connection_for(name: str, ssh: SSH) -> tuple[Connection, Settings]:
    """Return an unopened fabric connection and the settings that it is to be opened with.

    Fabric resolves host name, user and port against the SSH config; what concerns trust (host keys, login
    keys, machines on the way) is taken out of its hands: see link.py.
    """
    config = Config(ssh_config=ssh_config(ssh.user, ssh.port), lazy=True)
    try:
        # gateway=False: the way through other machines is ours, with every key on it checked.
        connection = Connection(ssh.host, user=ssh.user or None, port=ssh.port, config=config, gateway=False)
    except ValueError as error:
        raise UsageError(f"ssh.host {ssh.host!r} is not a host: {error}", host=name) from error
    given: dict[str, Any] = connection.ssh_config
    host, port, user = str(connection.host), int(connection.port), str(connection.user)
    verifier = Verifier(
        name=name,
        host=host,
        port=port,
        user=user,
        mode=ssh.host_keys if not ssh.host_key else HostKeys.PINNED,
        files=_known_hosts_files(ssh, given),
        pinned=_pinned(name, ssh),
        alias=str(given.get("hostkeyalias", "")),
    )
    settings = Settings(
        name, host, port, user, _identities(name, ssh, given), verifier, _jumps(ssh, given, host), ""
    )
    if not settings.jumps and not ssh.bastion:
        settings = replace(settings, proxy_command=str(given.get("proxycommand") or ""))
    return connection, settings


def sudo_password(name: str, ssh: SSH) -> bytes:
    """Return the sudo password from its file, without the line's end; raise KubeadmPyError if unfit."""
    path = expanded(ssh.sudo_password_file)
    try:
        if path.stat().st_mode & 0o007:
            raise UsageError(
                f"ssh.sudoPasswordFile {path} can be read by everybody",
                host=name,
                fix=shlex.join(["chmod", "600", str(path)]),
            )
        password = path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise UsageError(
            f"ssh.sudoPasswordFile {path} cannot be read: {error.strerror}", host=name
        ) from error
    if not password:
        raise UsageError(f"ssh.sudoPasswordFile {path} is empty", host=name)
    return password


def _pinned(name: str, ssh: SSH) -> Key | None:
    if ssh.host_key:
        try:
            return Key.parse(ssh.host_key)
        except ValueError as error:
            raise UsageError(f"ssh.hostKey cannot be read: {error}", host=name) from None
    if ssh.host_keys is HostKeys.PINNED:
        raise UsageError(
            "ssh.hostKeys is `pinned`, but there is no ssh.hostKey",
            host=name,
            fix=f"give {name} its ssh.hostKey: `ssh-keyscan -t ed25519 {ssh.host}` shows it, compare it "
            "on the console",
        )
    return None


def _known_hosts_files(ssh: SSH, given: dict[str, Any]) -> tuple[str, ...]:
    if ssh.known_hosts:
        return (ssh.known_hosts,)
    user_files = shlex.split(given.get("userknownhostsfile", USER_KNOWN_HOSTS))
    system_files = shlex.split(given.get("globalknownhostsfile", SYSTEM_KNOWN_HOSTS))
    return tuple(name for name in (*user_files, *system_files) if name not in {"none", "/dev/null"})


def _identities(name: str, ssh: SSH, given: dict[str, Any]) -> Identities:
    only = str(given.get("identitiesonly", "no")).lower() == "yes"
    if ssh.identity_file:
        path = expanded(ssh.identity_file)
        if not path.is_file():
            what = "is not a file" if path.exists() else "is not there"
            raise UsageError(
                f"ssh.identityFile {path} {what}",
                host=name,
                fix="name the private key that logs in there, or leave it out: an agent's keys are tried",
            )
        return Identities((str(path),), only)
    files = given.get("identityfile") or list(DEFAULT_IDENTITIES)
    paths = (expanded(file) for file in files)
    return Identities(tuple(str(path) for path in paths if path.is_file()), only)


def _jumps(ssh: SSH, given: dict[str, Any], host: str) -> tuple[SSH, ...]:
    written = ssh.bastion or str(given.get("proxyjump") or "")
    if not written or written.lower() == "none":
        return ()
    return tuple(
        jump
        for jump in (_jump(text.strip(), ssh) for text in written.split(","))
        # A wildcard `Host *` with ProxyJump names the bastion as its own bastion.
        if jump.host != host or ssh.bastion
    )


def _jump(text: str, ssh: SSH) -> SSH:
    user, _, place = text.removeprefix("ssh://").rpartition("@")
    host, port = place, None
    try:
        if place.startswith("["):
            host, bracket, rest = place[1:].partition("]")
            port = int(rest[1:]) if rest else None
            host = host if bracket else ""
        elif place.count(":") == 1:
            host, _, digits = place.partition(":")
            port = int(digits)
    except ValueError:
        host = ""
    if not host:
        raise UsageError(f"the bastion {text!r} is not of the form user@host:port")
    mode = HostKeys.KNOWN_HOSTS if ssh.host_keys is HostKeys.PINNED else ssh.host_keys
    return SSH(
        host=host,
        user=user,
        port=port,
        identity_file=ssh.identity_file,
        host_keys=mode,
        known_hosts=ssh.known_hosts,
        bastion="none",
    )
