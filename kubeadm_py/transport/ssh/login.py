"""Log in with the right private key, and say clearly why when no key does it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.auth_strategy import AuthSource, AuthStrategy, SourceResult

from kubeadm_py.errors import UnreachableError
from kubeadm_py.transport.known_hosts import Key
from kubeadm_py.transport.script import join
from kubeadm_py.transport.ssh.settings import Settings


@dataclass(slots=True)
class _Tried:
    """Keep what was tried, for the error."""

    refused: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class PublicKeyLogin(AuthStrategy):
    """Offer the named identity files first (by the agent where it holds them), then the agent's other keys.

    The order matters: sshd counts every key as an attempt and hangs up after six (MaxAuthTries).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def authenticate(self, transport: paramiko.Transport) -> list[SourceResult]:
        """Log in on `transport`; raise UnreachableError where no key is accepted."""
        tried = _Tried()
        with _agent_keys() as agent_keys:
            for label, key in self._candidates(agent_keys, tried):
                try:
                    further = transport.auth_publickey(self._settings.user, key)
                except paramiko.BadAuthenticationType as error:
                    raise self._refused(
                        tried, "the host takes no public keys, only: " + ", ".join(error.allowed_types)
                    ) from error
                except paramiko.SSHException as error:
                    tried.refused.append(label)
                    if not transport.is_active():
                        raise self._refused(
                            tried, "the host hung up (too many keys? see MaxAuthTries)"
                        ) from error
                    continue
                if further:
                    raise self._refused(tried, "the host wants a second factor: " + ", ".join(further))
                return []
        raise self._refused(tried, "")

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield nothing: `authenticate` goes through the keys itself."""
        yield from ()

    def _candidates(
        self, agent_keys: list[paramiko.AgentKey], tried: _Tried
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        offered: set[bytes] = set()
        for file in self._settings.identities.files:
            public = _public_half(file)
            held = next((key for key in agent_keys if public and key.asbytes() == public), None)
            key = held or _load(file, tried)
            if key is not None and key.asbytes() not in offered:
                offered.add(key.asbytes())
                yield f"{file} ({_fingerprint(key)})", key
        if self._settings.identities.only:
            return
        for key in agent_keys:
            if key.asbytes() not in offered:
                yield f"a key of the agent ({_fingerprint(key)})", key

    def _refused(self, tried: _Tried, why: str) -> UnreachableError:
        settings = self._settings
        details = [why] if why else []
        details += [f"refused: {label}" for label in tried.refused]
        details += [f"encrypted, and no agent holds it: {file}" for file in tried.encrypted]
        details += tried.unreadable
        if tried.encrypted:
            fix = join(["ssh-add", tried.encrypted[0]])
        elif not tried.refused:
            details.append("no private key was found, neither in a file nor in an agent")
            fix = "set ssh.identityFile, or load a key into an agent with ssh-add"
        else:
            port = ["-p", str(settings.port)] if settings.port != 22 else []
            fix = "let the key in: " + join(["ssh-copy-id", *port, f"{settings.user}@{settings.host}"])
        return UnreachableError(
            f"login as {settings.user} on {settings.host} port {settings.port} was refused",
            host=settings.name,
            details=details,
            fix=fix,
        )


@contextlib.contextmanager
def _agent_keys() -> Iterator[list[paramiko.AgentKey]]:
    if not Path(os.environ.get("SSH_AUTH_SOCK") or "/nonexistent").is_socket():
        yield []
        return
    try:
        agent = paramiko.Agent()
        keys = list(agent.get_keys())
    except (paramiko.SSHException, OSError):
        # An agent that has gone or is locked: the files may do.
        yield []
        return
    try:
        yield keys
    finally:
        agent.close()


def _public_half(file: str) -> bytes:
    try:
        return Key.parse(Path(f"{file}.pub").read_text()).blob
    except (OSError, ValueError):
        return b""


def _load(file: str, tried: _Tried) -> paramiko.PKey | None:
    try:
        return paramiko.PKey.from_path(file)
    except (TypeError, paramiko.PasswordRequiredException):
        # cryptography says TypeError where a password is wanted.
        tried.encrypted.append(file)
    except OSError as error:
        tried.unreadable.append(f"cannot be read: {file} ({error.strerror})")
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        tried.unreadable.append(f"not a private key that can be used here: {file}")
    return None


def _fingerprint(key: paramiko.PKey) -> str:
    return Key(key.get_name(), key.asbytes()).fingerprint
