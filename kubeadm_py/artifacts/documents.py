"""Fetch manifests that upstream publishes: each once, pinned by its SHA-256 at first use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubeadm_py.artifacts import cache, checked, download
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.local_path import expanded
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.digest import sha256

LIMIT = 16 << 20


def fetch(
    where: str,
    lock: LockFile,
    folder: Path,
    cache_folder: Path | None = None,
    *,
    bundled: Mapping[str, LocalFile] = {},
) -> bytes:
    """Return a document from a URL or a path; relative paths begin at `folder`.

    What came with a bundle, or is pinned and was fetched before, is not asked for again. Raise KubeadmPyError
    where it cannot be had or is not what it was.
    """
    if where in bundled:
        held = bundled[where]
        return b"".join(checked.chunks(Path(held.path), held.size, held.sha256))
    if "://" not in where:
        return _read(folder / expanded(where))
    store = (cache_folder or cache.default_folder()) / "documents"
    known = lock.pins.get(where)
    if known:
        kept = store / known
        if kept.is_file() and cache.sha256_file(kept) == known:
            return kept.read_bytes()
    content = download.content(where, LIMIT)
    found = sha256(content)
    if known and found != known:
        raise KubeadmPyError(
            f"{where} is not what it was at first use",
            details=[f"{lock.path} says {known}", f"what came has {found}"],
            fix="find out who changed it; where it is well, delete its line from the lock file",
        )
    cache.write_atomically(store / found, content)
    lock.pin(where, found)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KubeadmPyError(f"{path} cannot be read: {error.strerror}", fix="check the path") from error
