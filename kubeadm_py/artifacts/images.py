"""Read an OCI image layout, and say what of it a host is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeadm_py.errors import UsageError
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.digest import sha256

IMAGE_NAME = "io.containerd.image.name"
"""The annotation that holds an image's full reference."""
_REF_NAME = "org.opencontainers.image.ref.name"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX_TYPES = (INDEX_TYPE, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAKE_AGAIN = "make the bundle again"
_DOCUMENT_LIMIT = 8 << 20
"""Manifests and indexes are small; a larger one is not what it says."""

Images = dict[str, dict[str, str]]
"""Architecture -> full reference -> manifest digest."""


class BundleError(UsageError):
    """Refuse a bundle that is not what it says it is."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Name one blob of a layout: `digest` with its `sha256:` prefix, size in bytes."""

    digest: str
    size: int

    def path(self, layout: Path) -> Path:
        """Return the blob's file; raise BundleError for a digest that could name another one."""
        if not _DIGEST.fullmatch(self.digest):
            raise BundleError(
                f"{layout} names {self.digest!r}, which is not a sha256 digest", fix=_MAKE_AGAIN
            )
        return layout / "blobs" / "sha256" / self.digest.removeprefix("sha256:")


def read_layout(layout: Path) -> Images:
    """Return the images of a layout; raise BundleError where it is broken.

    An entry is a manifest or an index of manifests by platform; its name is the annotation
    io.containerd.image.name.
    """
    index = _document(layout / "index.json", (layout / "index.json").name)
    found: Images = {}
    for entry in _entries(index, layout / "index.json"):
        reference = entry.get("annotations", {}).get(IMAGE_NAME, "")
        if not reference:
            continue
        for architecture, descriptor in _manifests(layout, entry):
            known = found.setdefault(architecture, {}).setdefault(reference, descriptor["digest"])
            if known != descriptor["digest"]:
                raise BundleError(
                    f"{layout / 'index.json'} names {reference} twice for {architecture}",
                    details=(known, descriptor["digest"]),
                    fix=_MAKE_AGAIN,
                )
    return found


def blobs(layout: Path, manifest_digest: str) -> tuple[Blob, ...]:
    """List the blobs of an image: its manifest, its config, its layers."""
    path = Blob(manifest_digest, 0).path(layout)
    document = _document(path, manifest_digest, manifest_digest)
    try:
        parts = [document["config"], *document["layers"]]
        rest = [Blob(str(part["digest"]), int(part["size"])) for part in parts]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is not an image manifest: {error!r}", fix=_MAKE_AGAIN) from error
    return (Blob(manifest_digest, path.stat().st_size), *rest)


def layers_of(layout: Path, manifests: Collection[str]) -> frozenset[str]:
    """Return the digests of the layers of those images that the layout knows."""
    known = [each for each in manifests if _DIGEST.fullmatch(each) and Blob(each, 0).path(layout).is_file()]
    return frozenset(blob.digest for digest in known for blob in blobs(layout, digest)[2:])


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """Hold what a host is sent of some images: their index, and each blob once."""

    layout: Path
    index: bytes
    blobs: tuple[Blob, ...]

    @property
    def files(self) -> tuple[LocalFile, ...]:
        """Return the blobs as files of this machine."""
        return tuple(
            LocalFile(str(blob.path(self.layout)), blob.digest.removeprefix("sha256:"), blob.size)
            for blob in self.blobs
        )


def archive(
    layout: Path, wanted: Sequence[tuple[str, str]], present: Collection[str] = frozenset()
) -> ImageArchive:
    """Return the archive of images given as (full reference, manifest digest).

    `present` are manifest digests of images that the host has: their layers are left out.
    """
    there = layers_of(layout, present)
    entries: list[Mapping[str, Any]] = []
    manifests: dict[str, Blob] = {}
    configs: dict[str, Blob] = {}
    layers: dict[str, Blob] = {}
    for reference, digest in sorted(wanted):
        manifest, config, *rest = blobs(layout, digest)
        manifests[digest] = manifest
        configs[config.digest] = config
        layers.update({blob.digest: blob for blob in rest if blob.digest not in there})
        entries.append(
            {
                "mediaType": media_type(layout, digest),
                "digest": digest,
                "size": manifest.size,
                "annotations": naming(reference),
            }
        )
    # No platform is named: a single manifest's platform is in its config, and is asked for there.
    document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    return ImageArchive(
        layout,
        json.dumps(document, sort_keys=True, separators=(",", ":")).encode(),
        tuple({**manifests, **configs, **layers}.values()),
    )


def _manifests(layout: Path, entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (architecture, descriptor) of the Linux images behind an entry."""
    try:
        digest, media_type = str(entry["digest"]), entry.get("mediaType", "")
        platform = entry.get("platform") or {}
    except (KeyError, AttributeError) as error:
        raise BundleError(
            f"{layout / 'index.json'} has an entry without a digest", fix=_MAKE_AGAIN
        ) from error
    path = Blob(digest, 0).path(layout)
    if media_type in INDEX_TYPES:
        for child in _entries(_document(path, digest, digest), path):
            about = child.get("platform") or {}
            # Attestations stand beside the images with the platform unknown/unknown.
            if about.get("os") == "linux" and Blob(str(child.get("digest", "")), 0).path(layout).is_file():
                yield str(about.get("architecture", "")), child
        return
    if platform.get("architecture"):
        yield str(platform["architecture"]), entry
        return
    config = blobs(layout, digest)[1]
    about = _document(config.path(layout), config.digest, config.digest)
    yield str(about.get("architecture", "")), entry


def _entries(index: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    entries = index.get("manifests")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BundleError(f"{path} has no list of manifests", fix=_MAKE_AGAIN)
    return entries


def naming(reference: str) -> dict[str, str]:
    """Return what names an image in an index, for containerd and for everybody else."""
    tag = {} if "@" in reference else {_REF_NAME: reference.rpartition(":")[2]}
    return {IMAGE_NAME: reference, **tag}


def media_type(layout: Path, digest: str) -> str:
    """Return the media type of a manifest, as it says itself."""
    document = _document(Blob(digest, 0).path(layout), digest, digest)
    return str(document.get("mediaType") or MANIFEST_TYPES[0])


def _document(path: Path, name: str, digest: str = "") -> Mapping[str, Any]:
    """Read a JSON document of the layout, checked against its digest where it has one."""
    try:
        if path.stat().st_size > _DOCUMENT_LIMIT:
            raise BundleError(f"{path} is too large for a manifest", fix=_MAKE_AGAIN)
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"the image layout lacks {name}: {error.strerror}: {path}",
            fix="copy the bundle again; it is not complete",
        ) from error
    if digest and digest != f"sha256:{sha256(content)}":
        raise BundleError(
            f"{path} is damaged: its content does not have the digest in its name",
            fix="copy the bundle again",
        )
    try:
        document = json.loads(content)
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}", fix=_MAKE_AGAIN) from error
    if not isinstance(document, dict):
        raise BundleError(f"{path} is not a JSON object", fix=_MAKE_AGAIN)
    return document
