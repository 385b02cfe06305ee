"""Read paths of this machine as a shell would."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(written: str | Path) -> Path:
    """Return a path with its ~ replaced; the ~ of a user that nobody knows stays, and names no file then."""
    return Path(os.path.expanduser(written))  # noqa: PTH111 - pathlib's own raises for such a user
