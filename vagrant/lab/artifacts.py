"""Get what a cluster is made of: choose where from, and have it complete before anything starts."""

import enum
import hashlib
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lab import bundle, debian, dockerd, gobuild, images, paths, tools
from lab.components import Component, architecture, load
from lab.oci import Layout
from lab.process import LabError, say

_PROBE_WITHIN = 3.0
_OFFICIAL = "https://dl.k8s.io/release/{version}/bin/linux/{architecture}/kubelet.sha256"

_IN_BUNDLE = {
    # Component of the bundle -> component of the table, and which of its binaries.
    "kubelet": ("kubernetes", ["kubelet"]),
    "kubectl": ("kubernetes", ["kubectl"]),
    "etcdctl": ("etcd", ["etcdctl", "etcdutl"]),
    "containerd": ("containerd", ["containerd", "ctr", "containerd-shim-runc-v2"]),
    "crictl": ("crictl", ["crictl"]),
    "cni-plugins": ("cni-plugins", None),
    "flannel-cni-plugin": ("flannel-cni-plugin", None),
}


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
    tools.require("gcc", "mmdebstrap")
    tools.require_go()
    for component in components.values():
        gobuild.build(component)
    _assemble(components, folder)
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
    recipes = [*sorted(images.RECIPES.iterdir()), *(paths.VAGRANT / "lab" / name for name in _RECIPE_MODULES)]
    shape = hashlib.sha256()
    for component in components.values():
        shape.update(component.key.encode())
    for recipe in recipes:
        shape.update(recipe.read_bytes())
    name = f"{components['kubernetes'].version}-{architecture()}-{shape.hexdigest()[:12]}"
    return paths.cache() / "bundles" / name


_RECIPE_MODULES = ("artifacts.py", "bundle.py", "debian.py", "images.py", "oci.py")


def _assemble(components: dict[str, Component], folder: Path) -> None:
    """Write the bundle beside its final place and move it there when it is whole."""
    say("writing the bundle")
    folder.parent.mkdir(parents=True, exist_ok=True)
    machine = architecture()
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as work:
        loose, unfinished = Path(work, "loose"), Path(work, "bundle")
        loose.mkdir()
        tar = debian.base()
        parts = images.Parts(
            components=components,
            folder=lambda name: gobuild.built(components[name]),
            debian=tar,
            busybox=debian.take("bin/busybox", loose / "busybox", tar),
            pause=images.compile_pause(loose / "pause"),
        )
        runc = debian.take("usr/sbin/runc", loose / "runc", tar)
        versions = {name: component.version for name, component in components.items()}
        versions["runc"] = _runc_version(runc)
        for name, (component, binaries) in _IN_BUNDLE.items():
            for binary in binaries or components[component].binaries:
                program = gobuild.built(components[component]) / binary
                bundle.place(program, unfinished, machine, name, components[component].version)
        bundle.place(runc, unfinished, machine, "runc", versions["runc"])
        layout = Layout(unfinished / "images", machine)
        images.write(layout, parts)
        layout.close()
        bundle.seal(unfinished, versions, machine)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    _forget_other_bundles(folder)
    oracle()


def _runc_version(runc: Path) -> str:
    said = subprocess.run([runc, "--version"], capture_output=True, text=True, check=False).stdout
    words = said.split()
    if len(words) < 3:
        raise LabError("Debian's runc does not run here; install libseccomp2")
    return "v" + words[2].partition("+")[0]


def _forget_other_bundles(kept: Path) -> None:
    """Delete bundles of other versions: each one is most of a gigabyte."""
    for other in kept.parent.iterdir():
        if other != kept and not other.name.startswith("."):
            shutil.rmtree(other)


def forget() -> None:
    """Delete the cache: binaries, images, bundles, and the data of an engine that the lab started."""
    if dockerd.started_by_us():
        raise LabError("the lab's engine is running; `down --all` first")
    gobuild.forget_sources()
    shutil.rmtree(paths.cache(), ignore_errors=True)
