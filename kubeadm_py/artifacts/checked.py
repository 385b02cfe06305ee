"""Read what is sent to hosts, and see while it is sent that it is what was verified before."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kubeadm_py.artifacts import cache
from kubeadm_py.errors import KubeadmPyError

CHUNK = 1 << 20
SETTLED_SECONDS = 2.0
"""Age from which a file's times tell every change: the clock of a filesystem ticks only so often."""
_PATIENCE = 1.0
"""Seconds for which the digest of another reader is waited for; then it is cheaper to read once more."""

_Stamp = tuple[int, ...]


class ChangedError(KubeadmPyError):
    """Report a file that changed between its verification and its sending."""


class _Reading:
    """Hold the digest that one reader works out for all who send the same file."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._digest = ""

    def end(self, digest: str) -> None:
        self._digest = digest
        self._ended.set()

    def digest(self) -> str:
        """Return it, or '' where the reader did not come to its end."""
        return self._digest if self._ended.wait(_PATIENCE) else ""


class _Readings:
    """Know who reads which files of this process, by what tells a changed file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[_Stamp, _Reading] = {}

    def join(self, stamp: _Stamp) -> tuple[_Reading, bool]:
        """Return the reading of a file, and whether it is the caller's to do."""
        with self._lock:
            mine = stamp not in self._known
            return self._known.setdefault(stamp, _Reading()), mine

    def leave(self, stamp: _Stamp, reading: _Reading, digest: str) -> None:
        """End the caller's own reading; without a digest the next one reads anew."""
        reading.end(digest)
        if not digest:
            with self._lock:
                self._known.pop(stamp, None)


_READINGS = _Readings()


def chunks(path: Path, size: int, sha256: str, skip: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `skip` to `size`, the last of them only if all have this digest.

    Who receives them and insists on their number thus never takes a file that was swapped meanwhile. Of those
    who send a file that stays as it is to several hosts, one hashes it. Raise ChangedError, and OSError as
    open does.
    """
    with io.FileIO(path) as file:
        status = os.fstat(file.fileno())
        stamp = _stamp(status, size)
        shared = _READINGS.join(stamp) if _settled(status) else None
        ours = hashlib.sha256() if shared is None or shared[1] else None
        found = ""
        left = size
        at = 0
        held = b""
        try:
            while left and (chunk := file.read(min(CHUNK, left))):
                if held:
                    yield held
                if ours is not None:
                    ours.update(chunk)
                left -= len(chunk)
                held = chunk[max(0, skip - at) :]
                at += len(chunk)
            if ours is not None:
                found = ours.hexdigest()
        finally:
            if shared is not None and ours is not None:
                _READINGS.leave(stamp, shared[0], found)
        if shared is not None and ours is None:
            found = shared[0].digest() or _digest(file, size)
            if _stamp(os.fstat(file.fileno()), size) != stamp:
                found = ""
    if left or found != sha256:
        raise _changed(path, sha256, found, left)
    if held:
        yield held


def _stamp(status: os.stat_result, size: int) -> _Stamp:
    return size, status.st_dev, *cache.stamp(status)


def _settled(status: os.stat_result) -> bool:
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    return changed < time.time_ns() - int(SETTLED_SECONDS * 1e9)


def _digest(file: io.FileIO, size: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while size and (chunk := file.read(min(CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _changed(path: Path, sha256: str, found: str, left: int) -> ChangedError:
    told = f"found sha256 {found}" if found else "found that it changed while it was read"
    if left:
        told = f"found {left} bytes shorter, {told.removeprefix('found ')}"
    return ChangedError(
        f"{path} is not the file any more that was verified before this run sent it",
        details=[f"expected sha256 {sha256}", told],
        fix="nothing of it was installed; copy the bundle again, let nothing write there, and run the"
        " same command again",
    )
