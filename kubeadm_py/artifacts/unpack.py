"""Unpack a tar of a bundle into the cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from kubeadm_py.artifacts.images import BundleError
from kubeadm_py.model.digest import sha256

KEPT = timedelta(days=30)
"""How long what was unpacked is kept after its last use."""
KEPT_BESIDE_NEWER = timedelta(days=1)
"""The same where the tar was replaced meanwhile: a run that began before that may still read it."""
_UNFINISHED = ".unfinished-"


def unpack(archive: Path, cache_folder: Path, document: str) -> Path:
    """Return the folder that a tar of a bundle holds, where `document` lies; it is unpacked once.

    Its path, size and time name the folder. What was unpacked before and is not used any more goes when
    another one comes. Raise BundleError where it is no such tar.
    """
    status = archive.stat()
    which = _digest(str(archive.resolve()))
    target = cache_folder / "bundles" / f"{which}-{_digest(f'{status.st_size} {status.st_mtime_ns}')}"
    if target.is_dir():
        # Its time says when it was used last.
        with contextlib.suppress(OSError):
            os.utime(target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        _forget(target.parent, which)
        unfinished = Path(tempfile.mkdtemp(dir=target.parent, prefix=_UNFINISHED))
        try:
            with tarfile.open(archive) as tar:
                _extract(tar, unfinished)
            unfinished.rename(target)
        except (tarfile.TarError, KeyError, OSError, EOFError) as error:
            if target.is_dir():  # Another run was first.
                return _root(target, document)
            # What each way of reading it came upon is of no use to a person.
            why = "it is no tar archive, or not all of one" if isinstance(error, tarfile.ReadError) else error
            raise BundleError(
                f"{archive} cannot be unpacked: {why}", fix="copy the bundle again; it is not complete"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return _root(target, document)


def _root(folder: Path, document: str) -> Path:
    """Return the folder with the description: a tar may hold one folder that holds all else."""
    if (folder / document).is_file():
        return folder
    inner = [entry for entry in folder.iterdir() if (entry / document).is_file()]
    return inner[0] if len(inner) == 1 else folder


def _digest(text: str) -> str:
    return sha256(text.encode())[:12]


def _forget(folder: Path, which: str) -> None:
    """Delete what earlier runs unpacked or were killed over, once it is old enough."""
    now = time.time()
    for each in folder.iterdir():
        replaced = each.name.startswith((f"{which}-", _UNFINISHED))
        kept = KEPT_BESIDE_NEWER if replaced else KEPT
        # Another run may delete the same.
        with contextlib.suppress(FileNotFoundError):
            if now - each.stat().st_mtime > kept.total_seconds():
                shutil.rmtree(each, ignore_errors=True)


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Write a tar's files and folders below a folder; raise TarError for any other member or place.

    tarfile's own filters came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    for member in tar:
        if member.name.startswith("/") or ".." in Path(member.name).parts:
            raise tarfile.TarError(f"{member.name} lies outside of it")
        place = folder / member.name
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        content = tar.extractfile(member) if member.isfile() or member.islnk() else None
        if content is None:
            raise tarfile.TarError(f"{member.name} is no file")
        place.parent.mkdir(parents=True, exist_ok=True)
        with content, place.open("wb") as file:
            shutil.copyfileobj(content, file)
