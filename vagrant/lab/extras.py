"""Make a bundle that holds what only some tests run as well: the images of more add-ons."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import yaml

from lab import artifacts, bundle, gobuild, paths, tools
from lab.components import Component, architecture, load
from lab.locking import held
from lab.oci import Entry, Layout, Settings

EXTRAS = paths.VAGRANT / "extras.yaml"

_IMAGES = {
    "metrics-server": ("registry.k8s.io/metrics-server/metrics-server", "metrics-server"),
    "metallb": ("quay.io/metallb/{binary}", "{binary}"),
    "traefik": ("docker.io/library/traefik", "usr/local/bin/traefik"),
}
"""Component -> what the image of each of its binaries is called, and where the binary is in it."""
_INDEX = "index.json"
_REWRITTEN = (bundle.MANIFEST, _INDEX, "oci-layout")


def ensure(*names: str) -> Path | None:
    """Return a bundle of the lab's own and these components; what is missing is built.

    None where the official releases are the source: then images are pulled like any other.
    """
    base = artifacts.ensure().bundle
    if base is None:
        return None
    table = load(EXTRAS)
    wanted = {name: table[name] for name in sorted(names)}
    folder = _folder(base, wanted)
    if bundle.is_complete(folder):
        return folder
    with held("artifacts"):
        if not bundle.is_complete(folder):
            _build([component for component in wanted.values() if not _is_built(component)])
            _assemble(base, wanted, folder)
            _forget_others(folder, base)
    return folder


def references(component: Component) -> list[str]:
    """Return what the images of a component are called."""
    image, _ = _IMAGES[component.name]
    return [f"{image.format(binary=binary)}:{component.version}" for binary in component.binaries]


def _is_built(component: Component) -> bool:
    return all((gobuild.built(component) / binary).is_file() for binary in component.binaries)


def _build(missing: list[Component]) -> None:
    if missing:
        tools.require_go()
        for component in missing:
            gobuild.build(component)
        gobuild.forget_sources()


def _folder(base: Path, wanted: dict[str, Component]) -> Path:
    shape = hashlib.sha256(Path(__file__).read_bytes())
    for component in wanted.values():
        shape.update(component.key.encode())
    name = "-".join([*wanted, shape.hexdigest()[:12]])
    return paths.cache() / "extras" / base.name / name


def _assemble(base: Path, wanted: dict[str, Component], folder: Path) -> None:
    """Link what the lab's own bundle has, and write only what is more."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as work:
        unfinished = Path(work, "bundle")
        shutil.copytree(base, unfinished, copy_function=_link)
        _add_images(unfinished / "images", wanted)
        manifest = yaml.safe_load((base / bundle.MANIFEST).read_text())
        bundle.seal(unfinished, manifest["versions"], architecture())
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def _add_images(folder: Path, wanted: dict[str, Component]) -> None:
    """Add to a closed layout; each image is one program on nothing."""
    before = _entries(folder)
    layout = Layout(folder, architecture())
    for name, component in wanted.items():
        for binary, reference in zip(component.binaries, references(component), strict=True):
            program = _IMAGES[name][1].format(binary=binary)
            layer = layout.layer([Entry(program, gobuild.built(component) / binary)])
            layout.image(reference, [layer], Settings([f"/{program}"]))
    layout.close()
    index = json.loads((folder / _INDEX).read_bytes())
    index["manifests"] = [*before, *_entries(folder)]
    (folder / _INDEX).write_text(json.dumps(index))


def _entries(folder: Path) -> list[dict[str, object]]:
    return list(json.loads((folder / _INDEX).read_bytes())["manifests"])


def _link(source: str, target: str) -> str:
    """Link a file that never changes, and copy what is written anew: both names of a link are one file."""
    if Path(source).name in _REWRITTEN:
        return str(shutil.copy2(source, target))
    os.link(source, target)
    return target


def _forget_others(folder: Path, base: Path) -> None:
    """Delete what belongs to bundles that are gone; the links cost nothing while the bundle is there."""
    bundles = {path.name for path in base.parent.iterdir()}
    for old in folder.parents[1].iterdir():
        if old.name not in bundles:
            shutil.rmtree(old)
