"""The bundle with more in it: all of the lab's own by links, and the images of what was asked for."""

import os
from pathlib import Path

import pytest
import yaml
from lab import artifacts, bundle, extras, gobuild
from lab.components import load

from kubeadm_py.artifacts import bundle as product

from .test_bundle import VERSIONS, make

pytestmark = pytest.mark.usefixtures("_built")


@pytest.fixture
def _built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a bundle, and every component built: compilers are not what this is about."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "kubeadm-py" / "bundles").mkdir(parents=True)
    base = make(tmp_path / "cache" / "kubeadm-py" / "bundles" / "base")
    bundle.seal(base, VERSIONS, "amd64")
    for component in load(extras.EXTRAS).values():
        for binary in component.binaries:
            program = gobuild.built(component) / binary
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_bytes(binary.encode())
    monkeypatch.setattr(extras, "architecture", lambda: "amd64")
    monkeypatch.setattr(artifacts, "ensure", lambda: artifacts.Artifacts("v1.36.3", base))


def test_the_product_finds_the_images_beside_those_of_the_labs_own_bundle(tmp_path: Path) -> None:
    folder = extras.ensure("metallb", "traefik")
    assert folder is not None
    read = product.read(folder, tmp_path / "product")
    table = load(extras.EXTRAS)
    assert set(read.images["amd64"]) == {
        "registry.k8s.io/pause:3.10.2",
        f"quay.io/metallb/controller:{table['metallb'].version}",
        f"quay.io/metallb/speaker:{table['metallb'].version}",
        f"docker.io/library/traefik:{table['traefik'].version}",
    }
    assert read.versions == VERSIONS


def test_what_it_shares_takes_no_room_and_stays_as_it_is() -> None:
    base = artifacts.ensure().bundle
    assert base is not None
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    folder = extras.ensure("traefik")
    assert folder is not None
    kubelet = "bin/amd64/kubelet/v1.36.3/kubelet"
    assert os.path.samefile(base / kubelet, folder / kubelet)
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before


def test_it_is_made_once() -> None:
    folder = extras.ensure("metallb", "traefik")
    assert folder is not None
    made = (folder / bundle.MANIFEST).stat().st_mtime_ns
    assert extras.ensure("traefik", "metallb") == folder
    assert (folder / bundle.MANIFEST).stat().st_mtime_ns == made
    assert extras.ensure("traefik") != folder


def test_every_extra_has_images_and_the_versions_that_its_add_on_names() -> None:
    for component in load(extras.EXTRAS).values():
        path = Path(__file__).parents[3] / "addons" / component.name / "addon.yaml"
        named = {image["reference"] for image in yaml.safe_load(path.read_text())["images"]}
        assert set(extras.references(component)) == named
