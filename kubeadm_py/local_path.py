"""Read paths of this machine as a shell would."""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: str | Path) -> bool:
    """Say whether a file is there that can be looked at; what this machine refuses to look at is none."""
    return os.path.isfile(path)  # noqa: PTH113 - pathlib's own raises for some names and folders


def is_folder(path: str | Path) -> bool:
    """Say the same of a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def expanded(written: str | Path) -> Path:
    """Return a path with its ~ replaced; the ~ of a user that nobody knows stays, and names no file then."""
    return Path(os.path.expanduser(written))  # noqa: PTH111 - pathlib's own raises for such a user
