"""Apply what a config's patches say about one target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubeadm_py.errors import UsageError
from kubeadm_py.model.patches import Patch, PatchType
from kubeadm_py.render.patching import PatchError, json_patch, merge_patch, shapes, strategic


def patched(document: Any, target: str, patches: Iterable[Patch]) -> Any:
    """Return the document with the target's patches applied in their order.

    Raise UsageError naming the file of a patch that does not fit, or those that leave what nobody can read.
    """
    mine = [patch for patch in patches if patch.target == target]
    blamed: list[str] = []
    made = document
    try:
        for patch in mine:
            blamed = [patch.file]
            made = _apply(made, patch)
        if mine:
            blamed = [patch.file for patch in mine]
            shapes.check(document, made)
    except PatchError as error:
        raise UsageError(
            f"the patch {', '.join(dict.fromkeys(blamed))} does not fit {target}",
            details=[str(error)],
            fix="mend the patch, or take its file out of the directory",
        ) from None
    return made


def _apply(document: Any, patch: Patch) -> Any:
    match patch.type:
        case PatchType.JSON:
            result = json_patch.apply(document, patch.content)
        case PatchType.MERGE:
            result = merge_patch.apply(document, patch.content)
        case PatchType.STRATEGIC:
            result = strategic.apply(document, patch.content, document.get("kind", ""))
    if not isinstance(result, dict):
        raise PatchError("what it leaves is not a mapping")
    return result
