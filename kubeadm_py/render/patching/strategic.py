"""Apply strategic merge patches as the API server does.

Lists with a merge key (or of plain words that merge) are merged item by item, all others are replaced. The
directives are those of kubectl's own patches: $patch, $retainKeys, $deleteFromPrimitiveList/NAME and
$setElementOrder/NAME.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from kubeadm_py.render.patching import PatchError
from kubeadm_py.render.patching.merge_keys import PRIMITIVE, merge_key

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_WORDS = ("replace", "merge", "delete")


def apply(document: Any, patch: Any, kind: str) -> Any:
    """Return the patched document; `kind` (Pod, Deployment) says which lists merge.

    Raise PatchError that says what does not fit.
    """
    if patch is None:
        return document
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is a mapping")
    return _merge(copy.deepcopy(document), patch, (kind,))


def _merge(original: dict[str, Any], patch: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive is not None:
        if directive not in _WORDS:
            raise PatchError(f"$patch is {directive!r}: one of {', '.join(_WORDS)}")
        if directive == "delete":
            return {}
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != _PATCH}
    _retain(original, patch)
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN) or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_FROM):
            _delete_from(original, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            original.pop(key, None)
        else:
            merged = _merge_value(original.get(key), value, patch.get(_ORDER + key), (*path, key))
            original[key] = merged
    for key, value in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and isinstance(original.get(name), list):
            identity = _identity(merge_key((*path, name)))
            original[name] = _ordered(original[name], [identity(item) for item in value], [], identity)
    return original


def _merge_value(original: Any, value: Any, order: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return _merge(original if isinstance(original, dict) else {}, value, path)
    if not isinstance(value, list):
        return value
    by = merge_key(path)
    if by is None:
        return [_without_nulls(item) for item in value]
    return _merge_list(original if isinstance(original, list) else [], value, order, by, path)


def _merge_list(
    original: list[Any], patch: list[Any], order: Any, by: str, path: tuple[str, ...]
) -> list[Any]:
    identity = _identity(by)
    if order is not None and not isinstance(order, list):
        raise PatchError(f"$setElementOrder/{path[-1]} is a list")
    if by == PRIMITIVE:
        if not all(isinstance(item, Hashable) for item in patch):
            raise PatchError(f"{'.'.join(path[1:])}: its items are single values")
        merged = list(dict.fromkeys([*original, *patch]))
        wanted = list(patch)
    else:
        if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
            return [item for item in patch if not (isinstance(item, dict) and item.get(_PATCH) == "replace")]
        merged, wanted = _merge_items(original, patch, by, path)
    if order is not None:
        told = [identity(item) for item in order]
        if [item for item in told if item in wanted] != wanted:
            raise PatchError(f"$setElementOrder/{path[-1]} does not name the patch's items in their order")
        wanted = told
    return _ordered(merged, wanted, [identity(item) for item in original], identity)


def _merge_items(
    original: list[Any], patch: list[Any], by: str, path: tuple[str, ...]
) -> tuple[list[Any], list[Hashable]]:
    """Return the merged items, and the keys of those that the patch speaks of."""
    merged = list(original)
    wanted: list[Hashable] = []
    for item in patch:
        if not isinstance(item, dict) or by not in item:
            raise PatchError(f"{'.'.join(path[1:])}: an item lacks its merge key, {by}")
        key = item[by]
        if not isinstance(key, Hashable):
            raise PatchError(f"{'.'.join(path[1:])}: the merge key {by} is a single value")
        at = next((index for index, old in enumerate(merged) if _identity(by)(old) == key), None)
        if item.get(_PATCH) == "delete":
            if at is not None:
                del merged[at]
            continue
        wanted.append(key)
        if at is None:
            merged.append(_merge({}, item, path))
        else:
            merged[at] = _merge(merged[at], item, path)
    return merged, wanted


def _ordered(
    items: list[Any], wanted: list[Any], before: list[Any], identity: Callable[[Any], Hashable]
) -> list[Any]:
    """Return the items: those of the patch in its order, the others where they were among them."""
    left = sorted((item for item in items if identity(item) in wanted), key=_index_in(wanted, identity))
    right = [item for item in items if identity(item) not in wanted]
    place = {key: index for index, key in reversed(list(enumerate(before)))}
    result: list[Any] = []
    while left and right:
        told, other = identity(left[0]), identity(right[0])
        take = left if place.get(told, -1) < place.get(other, len(before)) else right
        result.append(take.pop(0))
    return [*result, *left, *right]


def _index_in(wanted: list[Any], identity: Callable[[Any], Hashable]) -> Callable[[Any], int]:
    return lambda item: wanted.index(identity(item))


def _identity(by: str | None) -> Callable[[Any], Hashable]:
    def of(item: Any) -> Hashable:
        key = item[by] if isinstance(item, dict) and by in item else item
        return key if isinstance(key, Hashable) else str(key)

    return of


def _retain(original: dict[str, Any], patch: dict[str, Any]) -> None:
    kept = patch.get(_RETAIN)
    if kept is None:
        return
    told = {key for key, value in patch.items() if not key.startswith("$") and value is not None}
    if not isinstance(kept, Sequence) or not told <= set(kept):
        raise PatchError("$retainKeys does not list every key of its own mapping")
    for key in [key for key in original if key not in kept]:
        del original[key]


def _delete_from(original: dict[str, Any], name: str, gone: Any) -> None:
    if isinstance(original.get(name), list) and isinstance(gone, list):
        original[name] = [item for item in original[name] if item not in gone]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
