"""Open the artifact source that the config names, before any host is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kubeadm_py.artifacts import bundle, documents, images, official
from kubeadm_py.artifacts.cache import default_folder
from kubeadm_py.artifacts.fetch import HostNeed, official_view
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.artifacts.plan import DOWNLOADED, ArtifactView
from kubeadm_py.engine.session import Session
from kubeadm_py.model import distributions
from kubeadm_py.model.actions import ImportImages, LocalFile, WriteFiles
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan.artifacts.pinning import Pinning
from kubeadm_py.plan.run import Run


@dataclass(slots=True)
class Source:
    """Hold an opened artifact source."""

    view: ArtifactView = field(default_factory=ArtifactView)
    described: str = "preinstalled"
    _bundle: bundle.Bundle | None = None

    @property
    def documents(self) -> Mapping[str, LocalFile]:
        """Return the manifests of upstream that came with a bundle, by URL."""
        return self._bundle.documents if self._bundle else {}

    def fetch(
        self, cluster: ResolvedCluster, sessions: Mapping[str, Session], say: Callable[[str], None]
    ) -> bool:
        """Download the official releases that these hosts lack, and say whether the view knows more now.

        Other sources have everything already.
        """
        if cluster.artifacts not in DOWNLOADED:
            return False
        needs = [
            HostNeed(session.node, session.facts, tuple(session.inventory.files))
            for session in sessions.values()
        ]
        lock = LockFile.beside(cluster.source_file)
        self.view = official_view(cluster, needs, lock=lock, say=say)
        if cluster.artifacts is ArtifactSource.PACKAGES:
            self.view = replace(self.view, repository_keys=_repository_keys(cluster, sessions, lock))
        return True

    def verify(self, stage: Stage) -> None:
        """Check the sha256 of exactly what the stage sends; raise BundleError before any of it is sent."""
        if self._bundle is None:
            return
        actions = [action for _, action in stage.actions()]
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
        bundle.verify(
            self._bundle,
            sorted(files, key=lambda file: file.path),
            sorted(manifests),
            cache_folder=default_folder(),
        )

    def open_images(self, action: ImportImages) -> images.ImageArchive:
        """Return what an ImportImages sends."""
        return images.archive(Path(action.layout), action.images, frozenset(action.present))


def _repository_keys(
    cluster: ResolvedCluster, sessions: Mapping[str, Session], lock: LockFile
) -> dict[str, bytes]:
    """Fetch the keys that packages are signed with: this machine does, and pins them at first use."""
    found = {}
    for session in sessions.values():
        family = distributions.family_of(session.facts.os_release)
        if family is not None and family.name not in found:
            url = distributions.key_url(cluster.kubernetes_version, family)
            where = official.through(cluster.artifacts_path, url)
            found[family.name] = documents.fetch(where, lock, Path(cluster.source_file).parent)
    return found


def open_source(cluster: ResolvedCluster) -> Source:
    """Open the bundle, or describe what official releases offer; `preinstalled` offers nothing."""
    if cluster.artifacts is ArtifactSource.BUNDLE:
        opened = bundle.read(cluster.artifacts_path, public_key=cluster.artifacts_public_key)
        version = opened.versions.get("kubernetes", "?")
        return Source(opened.view(), f"bundle {cluster.artifacts_path} ({version})", opened)
    if cluster.artifacts in DOWNLOADED:
        offered = official.component_versions(cluster.kubernetes_version)
        pins = LockFile.beside(cluster.source_file).images
        view = ArtifactView(cluster.artifacts, offered, official.ARCHITECTURES, pins=pins)
        named = "packages" if cluster.artifacts is ArtifactSource.PACKAGES else "official releases"
        return Source(view, cluster.artifacts_path or named)
    return Source()


def open_for(run: Run) -> Source:
    """Open a run's artifact source; what its hosts pull by tag is pinned, as downloads are."""
    cluster = run.cluster
    source = open_source(cluster)
    if cluster.artifacts in DOWNLOADED and not run.options.dry_run:
        run.bus.subscribe(Pinning(cluster, run.bus.emit).take)
    return source
