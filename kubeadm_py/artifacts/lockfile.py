"""Pin what was fetched from where no checksum is published: a file beside the config, to be kept with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.artifacts.cache import write_atomically
from kubeadm_py.errors import KubeadmPyError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_IMAGE = "oci://"


def pin_name(reference: str) -> str:
    """Return how a lock file names an image."""
    return f"{_IMAGE}{reference}"


@dataclass(slots=True)
class LockFile:
    """Hold the SHA-256 of each URL; `path` None keeps nothing beyond this run."""

    path: Path | None
    pins: dict[str, str] = field(default_factory=dict)

    @classmethod
    def beside(cls, config: str) -> LockFile:
        """Read the lock file of a config; standard input has none. Raise KubeadmPyError where it is wrong."""
        if not config or not Path(config).is_file():
            return cls(None)
        path = Path(config).with_suffix(".lock.yaml")
        try:
            document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(path)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise KubeadmPyError(f"{path} cannot be read: {error}", fix="mend it, or delete it") from error
        pins = document.get("pins") if isinstance(document, dict) else None
        if not isinstance(pins, dict):
            raise KubeadmPyError(f"{path} is no lock file: it has no pins", fix="mend it, or delete it")
        for url, sha in pins.items():
            if not isinstance(url, str) or not isinstance(sha, str) or not _SHA256.fullmatch(sha):
                raise KubeadmPyError(
                    f"{path}: {sha} is no SHA-256 to pin {url} to",
                    fix="write 64 hexadecimal digits in quotes, or delete the line: it is pinned anew then",
                )
        return cls(path, dict(pins))

    @property
    def images(self) -> dict[str, str]:
        """Return what is pinned of images: full reference -> digest."""
        return {
            url.removeprefix(_IMAGE): f"sha256:{sha256}"
            for url, sha256 in self.pins.items()
            if url.startswith(_IMAGE)
        }

    def pin(self, url: str, sha256: str, *, published: bool = False) -> None:
        """Remember a digest at once, so that the next run insists on it.

        Where its publisher lists it, too, a file that cannot be written is no reason to stop.
        """
        if self.pins.get(url) == sha256:
            return
        self.pins[url] = sha256
        if self.path is None:
            return
        document = {"apiVersion": "kubeadm-py.io/v1alpha1", "kind": "Lock", "pins": self.pins}
        text = "# Written by kubeadm-py: keep it with the config.\n" + yaml.safe_dump(document)
        try:
            write_atomically(self.path, text.encode())
            self.path.chmod(0o644)
        except OSError as error:
            if published:
                return
            raise KubeadmPyError(
                f"{self.path} cannot be written: {error.strerror}", fix="make its folder writable"
            ) from error
