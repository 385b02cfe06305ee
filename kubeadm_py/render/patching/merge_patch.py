"""Apply RFC 7386 JSON merge patches: mappings merge, null removes, everything else replaces."""

from __future__ import annotations

from typing import Any

from kubeadm_py.render.patching import PatchError


def apply(document: Any, patch: Any) -> Any:
    """Return the patched document."""
    if patch is None:
        return document
    if not isinstance(patch, dict):
        raise PatchError("a merge patch is a mapping")
    return _merge(document, patch)


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged
