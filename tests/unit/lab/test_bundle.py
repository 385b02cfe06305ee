"""The manifest of the lab's bundle, and that the product reads it."""

import hashlib
from pathlib import Path

import yaml
from lab import bundle
from lab.oci import Entry, Layout, Settings

from kubeadm_py.artifacts import bundle as product

VERSIONS = {"kubernetes": "v1.36.3", "containerd": "v2.3.7"}


def make(folder: Path) -> Path:
    kubelet = folder.parent / "kubelet"
    kubelet.write_bytes(b"a kubelet")
    bundle.place(kubelet, folder, "amd64", "kubelet", "v1.36.3")
    layout = Layout(folder / "images", "amd64")
    layout.image("registry.k8s.io/pause:3.10.2", [layout.layer([Entry("pause", b"x")])], Settings(["/pause"]))
    layout.close()
    return folder


def test_manifest_lists_every_file_with_size_and_digest(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle")
    manifest = bundle.describe(folder, VERSIONS, "amd64")
    assert manifest["schema"] == 1
    assert manifest["versions"] == VERSIONS
    assert manifest["architectures"] == ["amd64"]
    assert manifest["files"]["bin/amd64/kubelet/v1.36.3/kubelet"] == {
        "size": 9,
        "sha256": hashlib.sha256(b"a kubelet").hexdigest(),
    }
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == on_disk


def test_a_bundle_is_complete_with_its_manifest_only(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle")
    assert not bundle.is_complete(folder)
    bundle.seal(folder, VERSIONS, "amd64")
    assert bundle.is_complete(folder)
    assert "bundle.yaml" not in yaml.safe_load((folder / "bundle.yaml").read_text())["files"]


def test_the_product_reads_it(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle")
    bundle.seal(folder, VERSIONS, "amd64")
    read = product.read(folder, tmp_path / "cache")
    assert read.versions == VERSIONS
    assert set(read.images["amd64"]) == {"registry.k8s.io/pause:3.10.2"}
    assert set(read.view().binaries["amd64"]) == {"kubelet"}
