"""Unpack a tar of a bundle into the cache."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from kubeadm_py.artifacts.images import BundleError
from kubeadm_py.model.digest import sha256


def unpack(archive: Path, cache_folder: Path, document: str) -> Path:
    """Return the folder that a tar of a bundle holds, where `document` lies; it is unpacked once.

    Its path, size and time name the folder. Raise BundleError where it is no such tar.
    """
    status = archive.stat()
    stamp = f"{archive.resolve()} {status.st_size} {status.st_mtime_ns}"
    target = cache_folder / "bundles" / sha256(stamp.encode())[:16]
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unfinished-"))
        try:
            with tarfile.open(archive) as tar:
                _extract(tar, unfinished)
            unfinished.rename(target)
        except (tarfile.TarError, KeyError, OSError, EOFError) as error:
            raise BundleError(
                f"{archive} cannot be unpacked: {error}", fix="copy the bundle again; it is not complete"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    if (target / document).is_file():
        return target
    inner = [entry for entry in target.iterdir() if (entry / document).is_file()]
    return inner[0] if len(inner) == 1 else target


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
