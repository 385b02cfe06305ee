"""Compare two forms of a configuration key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KeyPath = tuple[str, ...]
"""Keys from the top down; an item of a list that has a `name` is called by it."""


def changed(before: Any, after: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the keys whose values differ, each as deep as both forms can be compared."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from changed(before.get(key), after.get(key), (*path, str(key)))
        return
    old, new = _named(before), _named(after)
    if old is not None and new is not None and (old or new):
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                yield (*path, name)
        return
    if before != after:
        yield path


def _named(value: Any) -> dict[str, list[Any]] | None:
    """Return a list of named items by their names, which may come more than once; None for anything else."""
    if value is None:
        return {}
    if not isinstance(value, list | tuple):
        return None
    found: dict[str, list[Any]] = {}
    for item in value:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            return None
        found.setdefault(item["name"], []).append(item)
    return found


def text(path: KeyPath) -> str:
    """Write a path as a person does."""
    return ".".join(path)


def value(data: Any, path: KeyPath) -> Any:
    """Return what stands at a path; None where nothing does."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list | tuple):
            data = next(
                (item for item in data if isinstance(item, Mapping) and item.get("name") == step), None
            )
        else:
            return None
    return data
