"""Say what a bundle is to hold, and take it from the official sites or from another bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kubeadm_py.artifacts import bundle, fetch, images, official
from kubeadm_py.artifacts.bundle import Bundle
from kubeadm_py.artifacts.download import Pause
from kubeadm_py.artifacts.images import Blob, BundleError
from kubeadm_py.artifacts.layout import LayoutWriter
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.artifacts.pull import Puller
from kubeadm_py.errors import UsageError
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.versions import Version

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """List what a cluster needs of a bundle."""

    name: str
    """The cluster's."""
    kubernetes_version: Version
    binaries: tuple[Binary, ...]
    images: tuple[str, ...]
    architectures: tuple[str, ...]
    documents: tuple[str, ...] = ()
    """URLs of manifests that its add-ons need besides."""
    helpful: tuple[Binary, ...] = ()
    """Binaries that are taken along where they can be had."""


class Supplier(Protocol):
    """Give what a bundle holds."""

    def versions(self, wanted: Wanted) -> Mapping[str, str]:
        """Return the version of each component."""

    def binaries(self, wanted: Wanted) -> Mapping[str, Mapping[Binary, LocalFile]]:
        """Return the files of all binaries by architecture; raise KubeadmPyError where one is missing."""

    def images(self, references: Sequence[str], architectures: Sequence[str], layout: LayoutWriter) -> None:
        """Put images into a layout; raise KubeadmPyError where one is missing."""


@dataclass(frozen=True, slots=True)
class Official:
    """Take binaries from the official sites, or a mirror of them, and images from their registries."""

    mirror: str
    registries: Mapping[str, Registry]
    lock: LockFile
    cache_folder: Path
    say: Say = lambda _line: None
    pause: Pause = time.sleep

    def versions(self, wanted: Wanted) -> Mapping[str, str]:
        """Return what goes with the Kubernetes version."""
        return official.component_versions(wanted.kubernetes_version)

    def binaries(self, wanted: Wanted) -> Mapping[str, Mapping[Binary, LocalFile]]:
        """Download what the cache lacks."""
        versions = self.versions(wanted)
        for architecture in wanted.architectures:
            if architecture not in official.ARCHITECTURES:
                raise UsageError(
                    f"there are no official releases for {architecture}",
                    fix=f"one of {', '.join(official.ARCHITECTURES)}",
                )
        each = {binary: versions[binary.component] for binary in wanted.binaries}
        fetched = fetch.fetch(
            dict.fromkeys(wanted.architectures, each),
            mirror=self.mirror,
            lock=self.lock,
            cache_folder=self.cache_folder,
            say=self.say,
            pause=self.pause,
        )
        by_name = {binary.name: binary for binary in wanted.binaries}
        return {
            architecture: {by_name[name]: file for name, file in files.items()}
            for architecture, files in fetched.items()
        }

    def images(self, references: Sequence[str], architectures: Sequence[str], layout: LayoutWriter) -> None:
        """Pull what the cache lacks."""
        puller = Puller(self.registries, self.lock, self.cache_folder, self.say, self.pause)
        puller.pull(references, architectures, layout)


@dataclass(frozen=True, slots=True)
class FromBundle:
    """Take everything from a bundle that holds at least as much."""

    source: Bundle
    cache_folder: Path | None = None

    def versions(self, wanted: Wanted) -> Mapping[str, str]:
        """Return what the bundle holds; raise BundleError for one of another Kubernetes."""
        held = self.source.versions.get("kubernetes", "")
        if held != str(wanted.kubernetes_version):
            raise BundleError(
                f"{self.source.folder} holds Kubernetes {held or '?'}, the config asks for "
                f"{wanted.kubernetes_version}",
                fix="name another bundle with --from, or none for the official sites",
            )
        components = {binary.component for binary in (*wanted.binaries, *wanted.helpful)}
        return {name: text for name, text in self.source.versions.items() if name in components}

    def binaries(self, wanted: Wanted) -> Mapping[str, Mapping[Binary, LocalFile]]:
        """Return them once they are known to be undamaged."""
        view = self.source.view()
        found: dict[str, dict[Binary, LocalFile]] = {}
        missing = []
        for architecture in wanted.architectures:
            for binary in (*wanted.binaries, *wanted.helpful):
                file = view.file(binary, architecture)
                if file is not None:
                    found.setdefault(architecture, {})[binary] = file
                elif binary not in wanted.helpful:
                    missing.append(f"{binary.name} for {architecture}")
        self._refuse(missing)
        files = [file for each in found.values() for file in each.values()]
        bundle.verify(self.source, files, cache_folder=self.cache_folder)
        return found

    def images(self, references: Sequence[str], architectures: Sequence[str], layout: LayoutWriter) -> None:
        """Copy the blobs of the images once they are known to be undamaged."""
        held = self.source.images
        pairs = [(reference, each) for reference in references for each in architectures]
        self._refuse(
            [f"{reference} for {each}" for reference, each in pairs if reference not in held.get(each, {})]
        )
        bundle.verify(
            self.source,
            manifests=[held[each][reference] for reference, each in pairs],
            cache_folder=self.cache_folder,
        )
        for reference, each in pairs:
            digest = held[each][reference]
            for blob in images.blobs(self.source.layout, digest):
                layout.blob(Blob(blob.digest, blob.size).path(self.source.layout), blob.digest)
            layout.image(reference, each, digest)

    def _refuse(self, missing: list[str]) -> None:
        if missing:
            raise BundleError(
                f"{self.source.folder} lacks {len(missing)} of what the config asks for",
                details=missing,
                fix="name another bundle with --from, or none for the official sites",
            )
