"""Read a bundle and prove it whole: every size at once, every hash of what is about to be sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from kubeadm_py.artifacts import cache, images
from kubeadm_py.artifacts.images import BundleError as BundleError
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.artifacts.unpack import unpack
from kubeadm_py.local_path import expanded
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.binaries import BINARIES
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.pki import signing

SCHEMA = 1
DOCUMENT = "bundle.yaml"
SIGNATURE = f"{DOCUMENT}.sig"
_COMPONENTS = {binary.name: binary.component for binary in BINARIES}
_COPY_AGAIN = "copy the bundle again; it is not complete"
_MAKE_AGAIN = "make the bundle again"


@dataclass(frozen=True, slots=True)
class Listed:
    """Hold what bundle.yaml says of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Hold a bundle whose files all exist with the sizes that it lists."""

    folder: Path
    versions: Mapping[str, str]
    architectures: tuple[str, ...]
    files: Mapping[str, Listed]
    """Path below the folder -> what it must be."""
    images: Mapping[str, Mapping[str, str]]
    """Architecture -> full reference -> manifest digest."""
    documents: Mapping[str, LocalFile] = field(default_factory=dict)
    """URL -> the manifest that was fetched from there."""

    @property
    def layout(self) -> Path:
        """Return the folder of the OCI layout."""
        return self.folder / "images"

    def view(self) -> ArtifactView:
        """Return what plans read."""
        binaries: dict[str, dict[str, LocalFile]] = {}
        for path, listed in self.files.items():
            parts = PurePosixPath(path).parts
            if len(parts) != 5 or parts[0] != "bin":
                continue
            _, architecture, folder, version, name = parts
            # The folder is a component or, where only some of its binaries are here, a binary.
            component = _COMPONENTS.get(name, folder)
            if self.versions.get(component, version) == version:
                file = LocalFile(str(self.folder / path), listed.sha256, listed.size)
                binaries.setdefault(architecture, {})[name] = file
        return ArtifactView(
            ArtifactSource.BUNDLE,
            components=self.versions,
            architectures=self.architectures,
            binaries=binaries,
            layout=str(self.layout),
            images=self.images,
        )


def read(path: str | Path, cache_folder: Path | None = None, *, public_key: bytes = b"") -> Bundle:
    """Read a bundle: a folder, or a tar of one, which is unpacked into the cache.

    Raise BundleError, which names the file and what to do, where the bundle is missing, of another schema,
    incomplete, or not signed by `public_key` where that is given. Sizes of all files are compared; hashes
    only by `verify`.
    """
    folder = expanded(path)
    if folder.is_file():
        folder = unpack(folder, cache_folder or cache.default_folder(), DOCUMENT)
    if not folder.is_dir():
        raise BundleError(
            f"there is no bundle at {folder}", fix="name its folder or tar, here or in spec.artifacts.path"
        )
    if public_key:
        _check_signature(folder, public_key)
    document = _read_document(folder / DOCUMENT)
    files = _files(folder / DOCUMENT, document.get("files"))
    for name, listed in files.items():
        _check_size(folder / name, listed.size)
    for name in ("images/index.json", "images/oci-layout"):
        if name in files:
            _check_hash(folder / name, files[name].sha256, hashlib.sha256((folder / name).read_bytes()))
    held = images.read_layout(folder / "images") if (folder / "images").exists() else {}
    return Bundle(
        folder,
        _strings(folder / DOCUMENT, document, "versions"),
        tuple(str(name) for name in document.get("architectures") or ()),
        files,
        held,
        _documents(folder, files, document.get("documents") or {}),
    )


def verify(
    bundle: Bundle,
    files: Iterable[LocalFile] = (),
    manifests: Iterable[str] = (),
    *,
    cache_folder: Path | None = None,
) -> None:
    """Hash exactly what is about to be sent: these binaries, and the images of these manifest digests.

    Unchanged files are not hashed twice where `cache_folder` is given. Raise BundleError for the first
    file that is not what the bundle says.
    """
    wanted = {Path(file.path): (file.size, file.sha256) for file in files}
    for digest in manifests:
        for blob in images.blobs(bundle.layout, digest):
            wanted[blob.path(bundle.layout)] = (blob.size, blob.digest.removeprefix("sha256:"))
    digests = cache.Digests(cache_folder)
    for path, (size, sha256) in sorted(wanted.items()):
        _check_size(path, size)
        if digests.sha256(path) != sha256:
            raise _damaged(path)
    digests.save()


def verify_whole(bundle: Bundle, *, cache_folder: Path | None = None) -> None:
    """Hash every file of a bundle, and see that its images are complete and listed; raise BundleError."""
    listed = {bundle.folder / name for name in bundle.files}
    for digest in {each for held in bundle.images.values() for each in held.values()}:
        for blob in images.blobs(bundle.layout, digest):
            if blob.path(bundle.layout) not in listed:
                raise BundleError(
                    f"{bundle.folder / DOCUMENT} does not list {blob.digest}, a part of an image",
                    fix=_MAKE_AGAIN,
                )
    files = [
        LocalFile(str(bundle.folder / name), each.sha256, each.size) for name, each in bundle.files.items()
    ]
    verify(bundle, files, cache_folder=cache_folder)


def _check_signature(folder: Path, public_key: bytes) -> None:
    document, signature = folder / DOCUMENT, folder / SIGNATURE
    try:
        content, signed = document.read_bytes(), signature.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not signed, and the config asks for a signature: {error.filename} is missing",
            fix="make the bundle with --sign-key, or copy it again with all of its files",
        ) from error
    if not signing.is_signed(content, signed, public_key, "spec.artifacts.publicKey"):
        raise BundleError(
            f"{signature} is not a signature of {DOCUMENT} by the key that the config names",
            fix="find out who made this bundle; with another key, name that one: spec.artifacts.publicKey",
        )


def _read_document(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror}",
            fix="name the folder that holds bundle.yaml, here or in spec.artifacts.path",
        ) from error
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise BundleError(f"{path} is not YAML: {error}", fix=_MAKE_AGAIN) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema is None:
        raise BundleError(f"{path} is not a bundle's description: it has no schema", fix=_MAKE_AGAIN)
    if schema != SCHEMA:
        raise BundleError(
            f"{path} has schema {schema!r}; this kubeadm-py reads schema {SCHEMA}",
            fix="make the bundle with this kubeadm-py, or use the one that made it",
        )
    return dict(document)


def _files(path: Path, listed: object) -> dict[str, Listed]:
    if not isinstance(listed, dict) or not listed:
        raise BundleError(f"{path} lists no files", fix=_MAKE_AGAIN)
    files = {}
    for name, entry in listed.items():
        pure = PurePosixPath(str(name))
        if pure.is_absolute() or ".." in pure.parts:
            raise BundleError(f"{path} names {name}, which is outside the bundle", fix=_MAKE_AGAIN)
        try:
            files[str(pure)] = Listed(int(entry["size"]), str(entry["sha256"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{path} lacks size or sha256 of {name}", fix=_MAKE_AGAIN) from error
    return files


def _documents(folder: Path, files: Mapping[str, Listed], listed: object) -> dict[str, LocalFile]:
    found = {}
    for url, path in listed.items() if isinstance(listed, dict) else ():
        file = files.get(str(path))
        if file is None:
            raise BundleError(f"{folder / DOCUMENT} names {path} and does not list it", fix=_MAKE_AGAIN)
        found[str(url)] = LocalFile(str(folder / str(path)), file.sha256, file.size)
    return found


def _strings(path: Path, document: Mapping[str, Any], key: str) -> dict[str, str]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise BundleError(f"{path} has no {key}", fix=_MAKE_AGAIN)
    return {str(name): str(text) for name, text in value.items()}


def _check_size(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise BundleError(f"the bundle lacks {path}", fix=_COPY_AGAIN) from error
    if found != size:
        word = "shorter" if found < size else "longer"
        off = abs(found - size)
        unit = "byte" if off == 1 else "bytes"
        raise BundleError(f"{path} is {off} {unit} {word} than the bundle says", fix=_COPY_AGAIN)


def _check_hash(path: Path, sha256: str, found: Any) -> None:
    if found.hexdigest() != sha256:
        raise _damaged(path)


def _damaged(path: Path) -> BundleError:
    return BundleError(
        f"{path} is damaged: its sha256 is not the one that the bundle lists",
        fix="copy the bundle again from where it was made",
    )
