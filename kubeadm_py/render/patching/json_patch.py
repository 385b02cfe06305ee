"""Apply RFC 6902 JSON patches as kubeadm's library does.

An index below zero counts from the end; a key that is not there is replaced all the same, and tests as null.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from kubeadm_py.render.patching import PatchError

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


def apply(document: Any, operations: Any) -> Any:
    """Return the document with all operations applied; raise PatchError that says which one does not fit."""
    if operations is None:
        return document
    if not isinstance(operations, list) or not all(isinstance(item, dict) for item in operations):
        raise PatchError("a JSON patch is a list of operations")
    patched = copy.deepcopy(document)
    for operation in operations:
        patched = _apply_one(patched, operation)
    return patched


def _apply_one(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    if name not in _OPERATIONS:
        raise PatchError(f"op is {name!r}: one of {', '.join(_OPERATIONS)}")
    path = _text(operation, "path")
    steps = _steps(path)
    if name == "test":
        if _or_null(document, steps, path) != operation.get("value"):
            raise PatchError(f"test: {path} is not {operation.get('value')!r}")
        return document
    if name == "remove":
        _remove(document, steps, path)
        return document
    if name in ("move", "copy"):
        source = _text(operation, "from")
        value = copy.deepcopy(_get(document, _steps(source), source))
        if name == "move":
            _remove(document, _steps(source), source)
    else:
        if "value" not in operation:
            raise PatchError(f"{name} {path}: value is missing")
        value = copy.deepcopy(operation["value"])
    return _put(document, steps, path, value, replace=name == "replace")


def _text(operation: dict[str, Any], key: str) -> str:
    value = operation.get(key)
    if not isinstance(value, str):
        raise PatchError(f"{operation.get('op')}: {key} is missing")
    return value


def _steps(path: str) -> list[str]:
    if not path:
        return []
    if not path.startswith("/"):
        raise PatchError(f"{path!r} is no path: it starts with a slash")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _get(document: Any, steps: Sequence[str], path: str) -> Any:
    value = document
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list):
            value = value[_index(step, len(value) - 1, path)]
        else:
            raise PatchError(f"there is no {path}")
    return value


def _or_null(document: Any, steps: Sequence[str], path: str) -> Any:
    """Return what lies there, None where the mapping that would hold it is there without it."""
    parent = _get(document, steps[:-1], path)
    if steps and isinstance(parent, dict):
        return parent.get(steps[-1])
    return _get(document, steps, path)


def _put(document: Any, steps: Sequence[str], path: str, value: Any, *, replace: bool) -> Any:
    if not steps:
        return value
    parent, last = _get(document, steps[:-1], path), steps[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif not isinstance(parent, list):
        raise PatchError(f"there is no {path}")
    elif replace:
        parent[_index(last, len(parent) - 1, path)] = value
    else:
        parent.insert(len(parent) if last == "-" else _index(last, len(parent), path), value)
    return document


def _remove(document: Any, steps: Sequence[str], path: str) -> None:
    if not steps:
        raise PatchError("the whole document cannot be removed")
    parent, last = _get(document, steps[:-1], path), steps[-1]
    if isinstance(parent, dict) and last in parent:
        del parent[last]
    elif isinstance(parent, list):
        del parent[_index(last, len(parent) - 1, path)]
    else:
        raise PatchError(f"there is no {path}")


def _index(step: str, highest: int, path: str) -> int:
    digits = step.removeprefix("-")
    number = int(step) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
    if number is not None and number < 0:
        number += highest + 1
    if number is None or not 0 <= number <= highest:
        raise PatchError(f"there is no {path}")
    return number
