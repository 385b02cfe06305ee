"""Get what a cluster is made of: choose where from, and have it complete before anything starts."""

import enum
import hashlib
import os
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lab import assembly, bundle, dockerd, gobuild, images, paths, tools
from lab.components import Component, architecture, load
from lab.locking import held
from lab.process import LabError

_PROBE_WITHIN = 3.0
_MAY_BE_MOUNTED_SECONDS = 6 * 3600
_OFFICIAL = "https://dl.k8s.io/release/{version}/bin/linux/{architecture}/kubelet.sha256"

_RECIPES = ("assembly.py", "bundle.py", "debian.py", "images.py", "oci.py")
"""The modules whose text shapes a bundle."""


class Source(enum.Enum):
    """Where a cluster's binaries and images come from."""

    OFFICIAL = "official"
    BUILT = "built"


@dataclass(frozen=True)
class Artifacts:
    """The chosen artifacts; `bundle` is None where the official releases are reachable."""

    version: str
    bundle: Path | None


def choose_source(version: str) -> Source:
    """Prefer the official releases, where their site answers; LAB_SOURCE (official or built) overrides.

    The answer must be what a checksum file holds: some networks answer everything with a page of theirs.
    """
    wish = os.environ.get("LAB_SOURCE")
    if wish:
        return Source(wish)
    address = _OFFICIAL.format(version=version, architecture=architecture())
    try:
        with urllib.request.urlopen(address, timeout=_PROBE_WITHIN) as response:
            answer = response.read(64)
    except (OSError, urllib.error.URLError):
        return Source.BUILT
    return Source.OFFICIAL if len(answer) == hashlib.sha256().digest_size * 2 else Source.BUILT


def ensure() -> Artifacts:
    """Return the artifacts, and make the bundle first if it is needed and missing."""
    components = load()
    version = components["kubernetes"].version
    folder = _bundle_folder(components)
    # A finished bundle is used without asking the network again.
    if bundle.is_complete(folder):
        return Artifacts(version, folder)
    if choose_source(version) is Source.OFFICIAL:
        return Artifacts(version, None)
    with held("artifacts"):
        if not bundle.is_complete(folder):
            tools.require("gcc", "mmdebstrap")
            tools.require_go()
            for component in components.values():
                gobuild.build(component)
            assembly.assemble(components, folder)
            _forget_old_bundles(folder)
            oracle()
            gobuild.forget_sources()
    return Artifacts(version, folder)


def oracle() -> Path:
    """Return real kubeadm, which only tests run: it is never in a bundle and never on a node by itself."""
    kubernetes = load()["kubernetes"]
    target = paths.cache() / "oracle" / kubernetes.version / "kubeadm"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(gobuild.build(kubernetes) / "kubeadm", target)
    return target


def _bundle_folder(components: dict[str, Component]) -> Path:
    """Name the bundle by everything that shapes it, the recipes of the images included."""
    recipes = [*sorted(images.RECIPES.iterdir()), *(paths.VAGRANT / "lab" / name for name in _RECIPES)]
    shape = hashlib.sha256()
    for component in components.values():
        shape.update(component.key.encode())
    for recipe in recipes:
        shape.update(recipe.read_bytes())
    name = f"{components['kubernetes'].version}-{architecture()}-{shape.hexdigest()[:12]}"
    return paths.cache() / "bundles" / name


def _forget_old_bundles(folder: Path) -> None:
    """Keep the two newest bundles and those of the last hours: nodes may have one of them mounted."""
    finished = [path for path in folder.parent.iterdir() if bundle.is_complete(path)]
    made = {path: (path / bundle.MANIFEST).stat().st_mtime for path in finished}
    finished.sort(key=lambda path: made[path], reverse=True)
    for old in finished[2:]:
        if time.time() - made[old] > _MAY_BE_MOUNTED_SECONDS:
            shutil.rmtree(old)


def forget() -> None:
    """Delete the cache: binaries, images, bundles, and the data of an engine that the lab started."""
    if dockerd.started_by_us():
        raise LabError("the lab's engine is running; `down --all` first")
    gobuild.forget_sources()
    shutil.rmtree(paths.cache(), ignore_errors=True)
