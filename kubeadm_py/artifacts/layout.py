"""Write an OCI image layout: each blob once, the same bytes for the same images."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubeadm_py.artifacts import images
from kubeadm_py.artifacts.images import Blob

INDEX = "index.json"
LAYOUT = "oci-layout"


@dataclass
class LayoutWriter:
    """Collect blobs and images; `close` writes the index."""

    folder: Path
    _entries: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def blob(self, source: Path, digest: str) -> None:
        """Take a blob's content from a file that is known to have this digest."""
        target = Blob(digest, 0).path(self.folder)
        if not target.exists():
            copy(source, target)

    def image(self, reference: str, architecture: str, manifest_digest: str) -> None:
        """Name an image whose blobs are here."""
        manifest = Blob(manifest_digest, 0).path(self.folder)
        self._entries[reference, architecture] = {
            "mediaType": images.media_type(self.folder, manifest_digest),
            "digest": manifest_digest,
            "size": manifest.stat().st_size,
            "platform": {"architecture": architecture, "os": "linux"},
            "annotations": images.naming(reference),
        }

    def close(self) -> None:
        """Write the index of all images."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = [self._entries[key] for key in sorted(self._entries)]
        document = {"schemaVersion": 2, "mediaType": images.INDEX_TYPE, "manifests": entries}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        (self.folder / INDEX).write_text(text, encoding="utf-8")
        (self.folder / LAYOUT).write_bytes(images.LAYOUT_FILE)


def copy(source: Path, target: Path, mode: int = 0o644) -> None:
    """Copy a file so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, unfinished)
        unfinished.chmod(mode)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
