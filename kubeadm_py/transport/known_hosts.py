"""Read known_hosts files and decide about a host's key, as OpenSSH does."""

from __future__ import annotations

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from kubeadm_py.errors import HostKeyError
from kubeadm_py.local_path import expanded
from kubeadm_py.model.ssh import HostKeys
from kubeadm_py.transport.script import join

_append_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Key:
    """Hold a public key: its type as in known_hosts (`ssh-ed25519`) and its wire form."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint as ssh-keygen shows it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"

    @property
    def short_type(self) -> str:
        """Return the type's short name (ED25519), as ssh-keygen shows it."""
        if self.type.startswith("ecdsa-"):
            return "ECDSA"
        return self.type.removeprefix("ssh-").upper()

    def __str__(self) -> str:
        return f"{self.short_type} {self.fingerprint}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read `type base64 [comment]`; raise ValueError if malformed."""
        fields = text.split()
        if len(fields) < 2:
            raise ValueError("not of the form `type base64`")
        try:
            blob = base64.b64decode(fields[1], validate=True)
        except binascii.Error as error:
            raise ValueError(f"the key is not valid base64: {error}") from None
        if not blob.startswith(len(fields[0]).to_bytes(4, "big") + fields[0].encode()):
            raise ValueError(f"the key itself is not of type {fields[0]}")
        return cls(fields[0], blob)


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one line of a known_hosts file that speaks of the host asked for."""

    key: Key
    marker: str
    """Empty, `@revoked` or `@cert-authority`."""
    file: str
    line: int

    @property
    def place(self) -> str:
        """Return file and line for messages."""
        return f"{self.file}:{self.line}"


def host_label(host: str, port: int) -> str:
    """Return the name under which known_hosts files list a host."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def lookup(files: Iterable[str], label: str) -> list[Entry]:
    """Return the entries for a host, in order of file and line; unreadable lines are passed over."""
    found = []
    for name in files:
        path = expanded(name)
        try:
            text = path.read_text(errors="replace")
        except (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            entry = _parse(line, label, str(path), number)
            if entry is not None:
                found.append(entry)
    return found


def _parse(line: str, label: str, file: str, number: int) -> Entry | None:
    fields = line.split()
    if not fields or fields[0].startswith("#"):
        return None
    marker = fields.pop(0) if fields[0].startswith("@") else ""
    if len(fields) < 3 or not _matches(fields[0], label):
        return None
    try:
        return Entry(Key.parse(" ".join(fields[1:])), marker, file, number)
    except ValueError:
        return None


def _matches(patterns: str, label: str) -> bool:
    if patterns.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in patterns[3:].split("|", 1))
        except (ValueError, binascii.Error):
            return False
        return hmac.compare_digest(hmac.new(salt, label.encode(), hashlib.sha1).digest(), digest)
    matched = False
    for pattern in patterns.split(","):
        negated = pattern.startswith("!")
        if re.fullmatch(_glob(pattern.lstrip("!").lower()), label):
            if negated:
                return False
            matched = True
    return matched


def _glob(pattern: str) -> str:
    # Only * and ? are special in known_hosts; brackets belong to `[host]:port`.
    return fnmatch.translate(pattern.replace("[", "[[]"))


@dataclass(frozen=True, slots=True)
class Verifier:
    """Check the key of one host; every way in which it can be wrong has its own message.

    `files` are consulted in order; `accept-new` writes to the first one.
    """

    name: str
    host: str
    port: int
    user: str
    mode: HostKeys
    files: tuple[str, ...]
    pinned: Key | None = None
    alias: str = ""

    @property
    def label(self) -> str:
        """Return the name that the host has in known_hosts files."""
        return self.alias or host_label(self.host, self.port)

    def known_types(self) -> list[str]:
        """Return the key types to ask the server for first: those that we can check."""
        if self.mode is HostKeys.PINNED:
            return [self.pinned.type] if self.pinned else []
        return [entry.key.type for entry in lookup(self.files, self.label) if not entry.marker]

    def check(self, offered: Key) -> None:
        """Raise HostKeyError unless `offered` is the host's key."""
        entries = lookup(self.files, self.label)
        for entry in entries:
            if entry.marker == "@revoked" and entry.key == offered:
                raise self._refuse(f"host key {offered} is marked as revoked in {entry.place}", (), "")
        if self.mode is HostKeys.PINNED:
            self._check_pinned(offered)
            return
        plain = [entry for entry in entries if not entry.marker]
        if any(entry.key == offered for entry in plain):
            return
        if plain:
            raise self._changed(offered, plain)
        if self.mode is HostKeys.ACCEPT_NEW:
            try:
                self._remember(offered)
            except OSError as error:
                raise self._refuse(
                    f"host key {offered} is new and cannot be remembered",
                    (f"{self.files[0]}: {error.strerror}",),
                    "let that file be written, name another in ssh.knownHosts, or set ssh.hostKey",
                ) from error
            return
        raise self._unknown(offered, entries)

    def _check_pinned(self, offered: Key) -> None:
        if self.pinned == offered:
            return
        pinned = str(self.pinned) if self.pinned else "none"
        raise self._refuse(
            f"host key is not the pinned one: the host shows {offered}, ssh.hostKey is {pinned}",
            self._warning(),
            f"if {self.name} was reinstalled, compare on its console and change ssh.hostKey of {self.name}: "
            f"{_console(offered)}",
        )

    def _changed(self, offered: Key, known: list[Entry]) -> HostKeyError:
        entry = next((entry for entry in known if entry.key.type == offered.type), known[0])
        return self._refuse(
            f"host key has changed: the host shows {offered}, {entry.place} has {entry.key}",
            self._warning(),
            f"if {self.name} was reinstalled, compare on its console ({_console(offered)}), "
            f"then forget the old key: {join(['ssh-keygen', '-R', self.label, '-f', entry.file])}",
        )

    def _unknown(self, offered: Key, entries: list[Entry]) -> HostKeyError:
        files = ", ".join(self.files) or "no file"
        details = [f"looked for {self.label} in {files}"]
        details += [
            f"{entry.place} trusts a certificate authority; host certificates are not checked here"
            for entry in entries
            if entry.marker == "@cert-authority"
        ]
        words = [
            "ssh",
            *(["-p", str(self.port)] if self.port != 22 else []),
            f"{self.user}@{self.host}",
            "true",
        ]
        return self._refuse(
            f"host key is not known: {offered}",
            details,
            f"compare on the console of {self.name} ({_console(offered)}), then connect once by hand: "
            f"{join(words)}; or set ssh.hostKey, or ssh.hostKeys: accept-new",
        )

    def _warning(self) -> tuple[str, ...]:
        return ("either the machine was reinstalled, or somebody answers in its place",)

    def _refuse(self, summary: str, details: Iterable[str], fix: str) -> HostKeyError:
        return HostKeyError(summary, host=self.name, details=tuple(details), fix=fix)

    def _remember(self, offered: Key) -> None:
        """Append the key unless another thread or process has learnt one for this host meanwhile."""
        if not self.files:
            raise self._unknown(offered, [])
        path = expanded(self.files[0])
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _append_lock:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                learnt = [entry for entry in lookup(self.files, self.label) if not entry.marker]
                if learnt and all(entry.key != offered for entry in learnt):
                    raise self._changed(offered, learnt)
                if not learnt:
                    size = os.fstat(descriptor).st_size
                    newline = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
                    key = base64.b64encode(offered.blob).decode()
                    os.write(descriptor, newline + f"{self.label} {offered.type} {key}\n".encode())
            finally:
                os.close(descriptor)


def _console(key: Key) -> str:
    kind = key.short_type.lower()
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"
