"""Bring images from their registries into a layout, by way of the cache of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from kubeadm_py.artifacts import cache
from kubeadm_py.artifacts.download import DownloadError, Pause, download
from kubeadm_py.artifacts.images import INDEX_TYPES, MANIFEST_TYPES, Blob
from kubeadm_py.artifacts.layout import LayoutWriter
from kubeadm_py.artifacts.lockfile import LockFile, pin_name
from kubeadm_py.artifacts.registry import Api, RegistryError
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.registries import Registry, endpoints

AT_ONCE = 4
_ACCEPT = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))

Say = Callable[[str], None]
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class _Reference:
    """Hold a complete reference in its parts; `what` is the tag, or the digest where it has one."""

    registry: str
    repository: str
    what: str

    @classmethod
    def of(cls, reference: str) -> _Reference:
        registry, _, rest = reference.partition("/")
        name, at, digest = rest.partition("@")
        repository, _, tag = name.rpartition(":") if ":" in name else (name, "", "latest")
        return cls(registry, repository, digest if at else tag)

    @property
    def scope(self) -> str:
        return f"repository:{self.repository}:pull"


@dataclass
class Puller:
    """Pull images by the settings of their registries; what a lock file pins is what comes."""

    registries: Mapping[str, Registry]
    lock: LockFile
    cache_folder: Path
    say: Say = lambda _line: None
    pause: Pause = time.sleep
    _apis: dict[str, Api] = field(default_factory=dict)

    def pull(self, references: Sequence[str], architectures: Sequence[str], layout: LayoutWriter) -> None:
        """Bring images of these architectures; raise DownloadError with what each place answered.

        Manifests are asked for one after the other: they say which layers images share.
        """
        wanted: dict[str, tuple[str, Blob]] = {}
        named: list[tuple[str, str, str]] = []
        for reference in references:
            self.say(f"asking for {reference}")
            for architecture, manifest in self._manifests(reference, architectures).items():
                named.append((reference, architecture, manifest))
                for blob in _parts(self._kept(manifest), manifest):
                    wanted.setdefault(blob.digest, (reference, blob))

        def fetch(job: tuple[str, Blob]) -> None:
            reference, blob = job
            self._blob(reference, blob)
            layout.blob(self._cached(blob.digest), blob.digest)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(fetch, wanted.values()):
                pass
        for reference, architecture, manifest in named:
            layout.blob(self._cached(manifest), manifest)
            layout.image(reference, architecture, manifest)

    def _manifests(self, reference: str, architectures: Sequence[str]) -> dict[str, str]:
        """Return the manifest digest by architecture; the manifests are in the cache then."""
        parts = _Reference.of(reference)
        pinned = self.lock.pins.get(pin_name(reference))
        top = self._manifest(reference, f"sha256:{pinned}" if pinned else parts.what)
        document = self._kept(top)
        if document.get("mediaType") in INDEX_TYPES or "manifests" in document:
            found: dict[str, str] = {}
            for child in document.get("manifests") or ():
                about = child.get("platform") or {}
                if about.get("os") == "linux" and about.get("architecture") in architectures:
                    found.setdefault(about["architecture"], str(child.get("digest", "")))
            for digest in found.values():
                self._manifest(reference, digest)
        else:
            config = next(iter(_parts(document, top)))
            self._blob(reference, config)
            found = {str(self._kept(config.digest).get("architecture", "")): top}
        for architecture in architectures:
            if architecture not in found:
                raise DownloadError(
                    f"{reference} is not published for {architecture}, only for {', '.join(sorted(found))}",
                    fix="leave the architecture out, or name another image",
                )
        self.lock.pin(pin_name(reference), top.removeprefix("sha256:"))
        return {name: found[name] for name in architectures}

    def _manifest(self, reference: str, what: str) -> str:
        """Bring one manifest by tag or digest into the cache; return its digest."""
        if what.startswith("sha256:") and _has(self._cached(what), what):
            return what

        def ask(api: Api, parts: _Reference) -> bytes:
            url = api.url(parts.repository, f"manifests/{what}")
            _, _, content = api.ask("GET", url, scope=parts.scope, headers={"Accept": _ACCEPT})
            return content

        content = self._anywhere(reference, ask)
        digest = f"sha256:{sha256(content)}"
        if what.startswith("sha256:") and digest != what:
            raise DownloadError(
                f"{reference}: what came for {what} has another digest, {digest}",
                fix="check the mirror or proxy in between",
            )
        cache.write_atomically(self._cached(digest), content)
        return digest

    def _blob(self, reference: str, blob: Blob) -> None:
        target = self._cached(blob.digest)

        def fetch(api: Api, parts: _Reference) -> None:
            url = api.url(parts.repository, f"blobs/{blob.digest}")
            download(
                url,
                target,
                target.name,
                self.pause,
                open_=lambda request: api.open(request, parts.scope),
                said_by="the image's manifest names",
            )

        if not _has(target, blob.digest):
            self.say(f"fetching {blob.size >> 10} KiB of {reference}")
            self._anywhere(reference, fetch)

    def _anywhere(self, reference: str, ask: Callable[[Api, _Reference], Got]) -> Got:
        """Ask each place of the image's registry until one answers."""
        parts = _Reference.of(reference)
        refused: list[DownloadError] = []
        for endpoint in endpoints(parts.registry, self.registries):
            api = self._apis.setdefault(endpoint.url, Api(endpoint, self.pause))
            try:
                return ask(api, parts)
            except DownloadError as error:
                refused.append(error)
        first = refused[0]
        status = first.status if isinstance(first, RegistryError) else 0
        if len(refused) == 1:
            raise first
        raise RegistryError(
            f"{reference} could not be had from any of {len(refused)} places",
            status=status or HTTPStatus.NOT_FOUND,
            details=[error.summary for error in refused],
            fix=refused[-1].fix,
        )

    def _cached(self, digest: str) -> Path:
        # The check of the digest's form is the blob's own.
        return self.cache_folder / "downloads" / Blob(digest, 0).path(self.cache_folder).name

    def _kept(self, digest: str) -> Mapping[str, Any]:
        try:
            document = json.loads(self._cached(digest).read_bytes())
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise DownloadError(f"{digest} is not a JSON document, as a manifest is", fix="report this bug")
        return document


def _parts(manifest: Mapping[str, Any], digest: str) -> tuple[Blob, ...]:
    try:
        listed = [manifest["config"], *manifest["layers"]]
        return tuple(Blob(str(each["digest"]), int(each["size"])) for each in listed)
    except (KeyError, TypeError, ValueError) as error:
        raise DownloadError(
            f"{digest} is not an image manifest of today: {error!r}",
            fix="images of schema 1 have to be pushed anew by a tool of today",
        ) from error


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and cache.sha256_file(path) == digest.removeprefix("sha256:")
