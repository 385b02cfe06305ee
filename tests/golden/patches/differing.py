"""Say in what two sets of objects differ, whatever Go adds to them that means nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

GONE = "(gone)"


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, what is there after); a list that differs comes as a whole."""
    yield from _differences(_meaning(before), _meaning(after), path)


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            below = f"{path}.{key}" if path else key
            yield from _differences(before.get(key, GONE), after.get(key, GONE), below)
    elif before != after:
        yield path, after


def _meaning(value: Any) -> Any:
    """Return the value as text all through, without what is empty: Go writes out some zeros."""
    if isinstance(value, Mapping):
        read = {key: _meaning(item) for key, item in value.items()}
        return {key: item for key, item in read.items() if item not in ("", {}, [], "0")}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return "" if value is None else str(value)
