"""Open the artifact source that the config names, before any host is reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kubeadm_py.artifacts import bundle, images
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.model.actions import ImportImages, LocalFile, WriteFiles
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.stages import Stage


@dataclass(slots=True)
class Source:
    """Hold an opened artifact source."""

    view: ArtifactView = field(default_factory=ArtifactView)
    described: str = "preinstalled"
    _bundle: bundle.Bundle | None = None

    def verify(self, stage: Stage) -> None:
        """Check the sha256 of exactly what the stage sends; raise BundleError before any of it is sent."""
        if self._bundle is None:
            return
        actions = [action for host in stage.hosts for step in host.steps for action in step.actions]
        files = {
            spec.content
            for action in actions
            if isinstance(action, WriteFiles)
            for spec in action.files
            if isinstance(spec.content, LocalFile)
        }
        manifests = {
            digest for action in actions if isinstance(action, ImportImages) for _, digest in action.images
        }
        bundle.verify(self._bundle, sorted(files, key=lambda file: file.path), sorted(manifests))

    def open_images(self, action: ImportImages) -> tuple[int, Iterable[bytes]]:
        """Return the size and bytes of the archive that an ImportImages streams."""
        archive = images.archive(Path(action.layout), action.images, frozenset(action.present))
        return archive.size, archive.stream()


def open_source(cluster: ResolvedCluster) -> Source:
    """Open the bundle, or describe what official releases offer; `preinstalled` offers nothing."""
    if cluster.artifacts is ArtifactSource.BUNDLE:
        opened = bundle.read(cluster.artifacts_path)
        version = opened.versions.get("kubernetes", "?")
        return Source(opened.view(), f"bundle {cluster.artifacts_path} ({version})", opened)
    return Source()
