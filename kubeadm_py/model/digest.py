"""Name content by its digest, as probes and inventories do."""

from __future__ import annotations

import hashlib


def sha256(content: bytes) -> str:
    """Return the hex digest."""
    return hashlib.sha256(content).hexdigest()
