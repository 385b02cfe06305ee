"""Read plain manifests that somebody wrote for kubectl as an add-on: nothing is put into them as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.addons import shape
from kubeadm_py.addons.schema import REFERENCE, Addon
from kubeadm_py.errors import UsageError

SUFFIXES = (".yaml", ".yml", ".json")
_KINDS_OF_LISTS = re.compile(r"^[A-Z]\w*List$|^List$")


def files(path: Path) -> list[Path]:
    """List the manifests at a path: a file, or those of a folder, in the order of their names."""
    if path.is_file():
        return [path]
    return sorted(each for each in path.glob("*") if each.suffix in SUFFIXES and each.is_file())


def read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the objects of manifests in order; raise UsageError that names the file of one that is wrong."""
    return [item for path in paths for item in objects(_text(path), str(path))]


def objects(text: str, where: str) -> list[dict[str, Any]]:
    """Return the API objects of a YAML stream, lists taken apart; raise UsageError that names `where`."""
    try:
        documents = [each for each in yaml.load_all(text, yaml.CSafeLoader) if each is not None]
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is not YAML", details=str(error).splitlines()) from error
    found: list[dict[str, Any]] = []
    for document in documents:
        if not isinstance(document, dict) or not (document.get("apiVersion") and document.get("kind")):
            raise UsageError(f"{where} holds something that is not an API object")
        if _KINDS_OF_LISTS.match(str(document["kind"])) and isinstance(document.get("items"), list):
            found += [item for item in document["items"] if isinstance(item, dict)]
        else:
            found.append(document)
    for item in found:
        metadata = item.get("metadata")
        if not (isinstance(metadata, dict) and isinstance(metadata.get("name"), str) and metadata["name"]):
            raise UsageError(f"{where}: a {item.get('kind')} has no name")
    return found


def describe(path: Path, items: Sequence[Mapping[str, Any]]) -> Addon:
    """Return what can be said of plain manifests: the images of their containers, and what is waited for."""
    used = sorted({image for item in items for image in shape.container_images(item)})
    wrong = [image for image in used if not REFERENCE.fullmatch(image)]
    if wrong:
        raise UsageError(
            f"add-on {path}: not every image is a complete reference like registry.example/path/name:tag",
            details=wrong,
            fix="write registry and tag out: a bundle and a mirror go by them",
        )
    ready = [
        {
            "kind": item["kind"],
            "namespace": item["metadata"].get("namespace", "default"),
            "name": item["metadata"]["name"],
            "needsWorker": True,
        }
        for item in items
        if item["kind"] in ("Deployment", "DaemonSet", "StatefulSet")
    ]
    return Addon.model_validate(
        {
            "apiVersion": "kubeadm-py.io/v1alpha1",
            "kind": "Addon",
            "name": _name(path),
            "version": "unversioned",
            "description": f"Manifests of {path.name}",
            "status": "supported",
            "verified": "rendered",
            "kubernetes": ">=1.35",
            "images": [{"name": f"image-{n}", "reference": each} for n, each in enumerate(used, start=1)],
            "readiness": ready,
        }
    )


def _name(path: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", path.resolve().stem.lower()).strip("-")[:63]
    if not name:
        raise UsageError(
            f"add-on {path}: its name has no letter or digit", fix="give the folder another name"
        )
    return name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as YAML", details=str(error).splitlines()) from error
