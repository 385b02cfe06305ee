"""Read what is sent to hosts, and see while it is sent that it is what was verified before."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kubeadm_py.errors import KubeadmPyError

CHUNK = 1 << 20
SETTLED_NS = 1_000_000_000
"""How long ago a file must have changed last for its times to tell of the next change."""

Identity = tuple[int, ...]
"""What tells of a file whether it is the same one, unchanged."""


class ChangedError(KubeadmPyError):
    """Report a file that changed between its verification and its sending."""


def chunks(path: Path, size: int, sha256: str, skip: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `skip` to `size`, the last of them only if all have this digest.

    Who receives them and insists on their number thus never takes a file that was swapped meanwhile. A file
    that goes to many hosts is hashed once a run, beside its sending. Raise ChangedError, and OSError as open
    does.
    """
    with io.FileIO(path) as file:
        before = _identity(file)
        digest = _shared.of(path, before) if _is_settled(file) and size else None
        if digest is None:
            yield from _hashed(file, path, size, sha256, skip)
            return
        left = size - file.seek(min(skip, size))
        held = b""
        while left and (chunk := file.read(min(CHUNK, left))):
            if held:
                yield held
            left -= len(chunk)
            held = chunk
        found = digest.result()
        if left or found != sha256 or _identity(file) != before:
            # Whatever it is now, its own words tell best.
            file.seek(0)
            for _ in _hashed(file, path, size, sha256, size):
                pass
            raise _changed(path, sha256, f"sha256 {found or 'of no one content: it is being written'}")
    if held:
        yield held


def _hashed(file: io.FileIO, path: Path, size: int, sha256: str, skip: int) -> Iterator[bytes]:
    """Yield a file's bytes, hashing them on the way."""
    digest = hashlib.sha256()
    left = size
    at = 0
    held = b""
    while left and (chunk := file.read(min(CHUNK, left))):
        if held:
            yield held
        digest.update(chunk)
        left -= len(chunk)
        held = chunk[max(0, skip - at) :]
        at += len(chunk)
    if left or digest.hexdigest() != sha256:
        found = f"sha256 {digest.hexdigest()}"
        raise _changed(path, sha256, f"{left} bytes shorter, {found}" if left else found)
    if held:
        yield held


def _changed(path: Path, sha256: str, found: str) -> ChangedError:
    return ChangedError(
        f"{path} is not the file any more that was verified before this run sent it",
        details=[f"expected sha256 {sha256}", f"found {found}"],
        fix="nothing of it was installed; copy the bundle again, let nothing write there, and run the"
        " same command again",
    )


def _identity(file: io.FileIO) -> Identity:
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _is_settled(file: io.FileIO) -> bool:
    # Two changes within one tick of the file system's clock look like one.
    return time.time_ns() - os.fstat(file.fileno()).st_ctime_ns > SETTLED_NS


class _Shared:
    """Hash each file once, for all who send it at the same time or later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: dict[Identity, Future[str]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="digests")

    def of(self, path: Path, identity: Identity) -> Future[str]:
        """Return the digest of the whole file, or '' where it changed meanwhile."""
        with self._lock:
            if identity not in self._digests:
                self._digests[identity] = self._pool.submit(_digest, path, identity)
            return self._digests[identity]


def _digest(path: Path, identity: Identity) -> str:
    digest = hashlib.sha256()
    try:
        with io.FileIO(path) as file:
            if _identity(file) != identity:
                return ""
            while chunk := file.read(CHUNK):
                digest.update(chunk)
            return digest.hexdigest() if _identity(file) == identity else ""
    except OSError:
        return ""


_shared = _Shared()
