"""Write what people read."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return `1 host`, `2 hosts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
