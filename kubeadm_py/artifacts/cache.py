"""Keep what the operator's machine has downloaded and verified, and hash files without doing it twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

from kubeadm_py.local_path import expanded

_CHUNK = 1 << 20


def default_folder() -> Path:
    """Return the operator's cache folder: $XDG_CACHE_HOME/kubeadm-py, else ~/.cache/kubeadm-py."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return Path(home if home.startswith("/") else expanded("~/.cache")) / "kubeadm-py"


def sha256_file(path: Path) -> str:
    """Return the hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def stamp(status: os.stat_result) -> list[int]:
    """Return what tells whether a file, named otherwise, has changed: its size, times and inode."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, 0600, so that others see all of it or nothing; a link in its place is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Digests:
    """Remember digests by path, size, time and inode, so that an unchanged file is hashed once.

    A cache that cannot be read or written only costs time.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "digests.json" if folder else None
        self._known: dict[str, list[object]] = {}
        self._changed = False
        if self._file:
            with contextlib.suppress(OSError, ValueError):
                loaded = json.loads(self._file.read_bytes())
                self._known = loaded if isinstance(loaded, dict) else {}

    def sha256(self, path: Path) -> str:
        """Return the digest of a file, hashing it only where it has changed; raise OSError as open does."""
        found = stamp(path.stat())
        key = str(path.resolve())
        known = self._known.get(key)
        if isinstance(known, list) and known[:-1] == found:
            return str(known[-1])
        digest = sha256_file(path)
        self._known[key] = [*found, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learned back to the cache."""
        if self._file and self._changed:
            with contextlib.suppress(OSError):
                write_atomically(self._file, json.dumps(self._known, sort_keys=True).encode())
                self._changed = False
