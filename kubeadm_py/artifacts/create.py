"""Make a bundle: one folder, or a tar of it, with all that it is asked for; the same bytes from the same."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.artifacts import cache, images, sbom
from kubeadm_py.artifacts.bundle import DOCUMENT, SCHEMA, SIGNATURE
from kubeadm_py.artifacts.images import BundleError
from kubeadm_py.artifacts.layout import LayoutWriter, copy
from kubeadm_py.artifacts.supply import Supplier, Wanted
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import signing

SBOM = "sbom.spdx.json"
_TAR = ".tar"


@dataclass(frozen=True, slots=True)
class Signer:
    """Hold the private key that a bundle is signed with, and what it is called in errors."""

    key: Secret
    name: str


def create(
    wanted: Wanted,
    supplier: Supplier,
    output: Path,
    *,
    moment: str,
    signer: Signer | None = None,
    fetch_document: Callable[[str], bytes],
) -> Mapping[str, Any]:
    """Write the bundle and return its description.

    An output that ends in .tar is a tar. It appears when it is whole; a bundle that is there is replaced,
    anything else is refused with BundleError. `moment` is what its bill of materials says of when.
    """
    refuse_output(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    if signer is not None:
        # A key that does not do is said before an hour of downloads.
        signing.sign(b"", signer.key, signer.name)
    with _unfinished(output) as folder:
        programs = _programs(wanted, supplier, folder)
        layout = LayoutWriter(folder / "images")
        supplier.images(wanted.images, wanted.architectures, layout)
        layout.close()
        documents = _documents(wanted, fetch_document, folder)
        held = images.read_layout(layout.folder)
        bill = sbom.document(programs, held, moment, wanted.name)
        (folder / SBOM).write_bytes(bill)
        described = _describe(folder, {**supplier.versions(wanted)}, wanted, documents)
        text = yaml.safe_dump(described, sort_keys=False).encode()
        (folder / DOCUMENT).write_bytes(text)
        if signer is not None:
            (folder / SIGNATURE).write_bytes(signing.sign(text, signer.key, signer.name))
        _put(folder, output)
    return described


def refuse_output(output: Path) -> None:
    """Raise BundleError for a place where something else than a bundle lies."""
    if output.suffix == _TAR:
        if output.is_dir():
            raise BundleError(f"{output} is a folder, not a tar", fix="name another output")
        return
    if output.is_file():
        raise BundleError(f"{output} is a file", fix="name a folder, or a file that ends in .tar")
    if output.is_dir() and any(output.iterdir()) and not (output / DOCUMENT).is_file():
        raise BundleError(
            f"{output} holds something that is no bundle",
            fix="name an empty folder, or one that is not there",
        )


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=output.parent) as work:
        folder = Path(work, "bundle")
        folder.mkdir()
        try:
            yield folder
        except OSError as error:
            raise KubeadmPyError(
                f"the bundle cannot be written: {error}", fix=f"make room and rights at {output.parent}"
            ) from error


def _programs(wanted: Wanted, supplier: Supplier, folder: Path) -> list[sbom.Program]:
    programs = []
    versions = supplier.versions(wanted)
    for architecture, files in sorted(supplier.binaries(wanted).items()):
        for binary, file in sorted(files.items(), key=lambda each: each[0].name):
            version = versions[binary.component]
            path = f"bin/{architecture}/{binary.component}/{version}/{binary.name}"
            copy(Path(file.path), folder / path, 0o755)
            programs.append(
                sbom.Program(binary.name, binary.component, version, architecture, path, file.sha256)
            )
    return programs


def _documents(wanted: Wanted, fetch: Callable[[str], bytes], folder: Path) -> dict[str, str]:
    found = {}
    for number, url in enumerate(sorted(wanted.documents)):
        path = f"documents/{number}-{url.rpartition('/')[2]}"
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(fetch(url))
        found[url] = path
    return found


def _describe(
    folder: Path, versions: Mapping[str, str], wanted: Wanted, documents: Mapping[str, str]
) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "schema": SCHEMA,
        "cluster": wanted.name,
        "versions": dict(sorted(versions.items())),
        "architectures": sorted(wanted.architectures),
        "documents": dict(documents),
        "files": {
            path.relative_to(folder).as_posix(): {
                "size": path.stat().st_size,
                "sha256": cache.sha256_file(path),
            }
            for path in files
        },
    }


def _put(folder: Path, output: Path) -> None:
    """Move a whole bundle to its place, in the place of one that is there."""
    if output.suffix == _TAR:
        tar = folder.with_suffix(_TAR)
        _pack(folder, tar)
        tar.replace(output)
        return
    folder.chmod(0o755)
    if output.exists():
        output.rename(folder.with_name("old"))
    folder.rename(output)
    shutil.rmtree(folder.with_name("old"), ignore_errors=True)


def _pack(folder: Path, target: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            info.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if path.is_dir():
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            info.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(info, content)
