"""A small bundle with two images, made anew for each test that breaks it."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

PAUSE = "registry.k8s.io/pause:3.10.2"
PROXY = "registry.k8s.io/kube-proxy:v1.36.3"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Maker:
    """Writes a bundle; `finish` lists in bundle.yaml what is there."""

    folder: Path

    def blob(self, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / "images/blobs/sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def manifest(self, architecture: str, *layers: bytes) -> dict[str, object]:
        config = self.blob(json.dumps({"architecture": architecture, "os": "linux"}).encode())
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
            "layers": [
                {"mediaType": "layer", **self.blob(gzip.compress(layer, mtime=0))} for layer in layers
            ],
        }
        return {"mediaType": MANIFEST, **self.blob(json.dumps(document).encode())}

    def index(self, *entries: tuple[str, dict[str, object]]) -> None:
        manifests = [
            {**descriptor, "annotations": {"io.containerd.image.name": name}} if name else descriptor
            for name, descriptor in entries
        ]
        path = self.folder / "images/index.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
        (self.folder / "images/oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def binary(self, path: str, content: bytes) -> None:
        file = self.folder / "bin" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def finish(self, **fields: object) -> None:
        files = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != "bundle.yaml":
                content = path.read_bytes()
                files[str(path.relative_to(self.folder))] = {
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
        document = {
            "schema": 1,
            "versions": {"kubernetes": "v1.36.3", "containerd": "v2.3.7", "etcd": "v3.6.8"},
            "architectures": ["amd64"],
            "files": files,
        }
        (self.folder / "bundle.yaml").write_text(yaml.safe_dump({**document, **fields}))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "bundle")


@pytest.fixture
def made(maker: Maker) -> Maker:
    """A sound bundle."""
    shared = b"the layer that both images have" * 50
    maker.index(
        (PAUSE, maker.manifest("amd64", shared)),
        (PROXY, maker.manifest("amd64", shared, b"kube-proxy" * 400_000)),
    )
    maker.binary("amd64/kubelet/v1.36.3/kubelet", b"the kubelet")
    maker.binary("amd64/containerd/v2.3.7/containerd", b"containerd")
    maker.binary("amd64/containerd/v1.7.0/ctr", b"of another version")
    maker.finish()
    return maker
