"""Make paths on the operator's machine absolute."""

from __future__ import annotations

import os
from pathlib import Path


def on_this_machine(written: str, folder: Path) -> str:
    """Return an absolute path: `~` expanded, a relative one starting at the config file's folder.

    An empty string stays empty.
    """
    if not written:
        return ""
    return os.path.normpath(folder / os.path.expanduser(written))  # noqa: PTH111 - keeps an unknown ~user
