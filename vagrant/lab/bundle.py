"""Lay binaries and images out as an offline bundle: one folder that says what is in it."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SCHEMA = 1
MANIFEST = "bundle.yaml"


def place(program: Path, bundle: Path, architecture: str, component: str, version: str) -> None:
    """Put a program where the bundle's format wants it, as a hard link where the file system allows one."""
    target = bundle / "bin" / architecture / component / version / program.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(program, target)
    except OSError:
        shutil.copy2(program, target)


def describe(bundle: Path, versions: Mapping[str, str], architecture: str) -> dict[str, Any]:
    """Return the manifest of a folder: every file in it, with its size and digest."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        "schema": SCHEMA,
        "versions": dict(sorted(versions.items())),
        "architectures": [architecture],
        "files": {
            path.relative_to(bundle).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)}
            for path in files
        },
    }


def seal(bundle: Path, versions: Mapping[str, str], architecture: str) -> None:
    """Write the manifest, the last file of a bundle: a folder without one is not complete."""
    text = yaml.safe_dump(describe(bundle, versions, architecture), sort_keys=False)
    (bundle / MANIFEST).write_text(text)


def is_complete(bundle: Path) -> bool:
    """Say whether the folder is a finished bundle."""
    return (bundle / MANIFEST).is_file()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
