"""Apply an operator's patches to parsed objects: strategic merge, JSON merge and JSON patch."""

from __future__ import annotations


class PatchError(Exception):
    """Say why a patch does not fit; who applies it knows the file."""
