"""Take the steps of a JSONPath: from what was found so far to what lies behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubeadm_py.cli.printers.shown import TemplateError

Values = list[Any]
Step = Callable[[Values, bool], Values]
"""The flag says that what is missing is no error."""


def constant(value: Any) -> Step:
    """Return a value whatever was found."""
    return lambda _values, _allow: [value]


def keys(names: Sequence[str]) -> Step:
    """Go into mappings."""

    def step(values: Values, allow: bool) -> Values:
        found = []
        for name in names:
            here = [value[name] for value in values if isinstance(value, Mapping) and name in value]
            if not here and not allow:
                raise TemplateError(f"{name} is not found")
            found += here
        return found

    return step


def elements(slices: Sequence[tuple[str | None, ...]]) -> Step:
    """Take elements of lists, by index or slice; both may be out of bounds, which is an error."""

    def step(values: Values, _allow: bool) -> Values:
        found: Values = []
        for first, second, third in slices:
            for value in values:
                if value is None:
                    continue
                if not isinstance(value, list):
                    raise TemplateError(f"{kind(value)} is not array or slice")
                found += _slice(value, first or "", second, third)
        return found

    return step


def _slice(value: list[Any], first: str, second: str | None, third: str | None) -> Values:
    size = len(value)
    step = int((third or ":")[1:] or 1)
    if step <= 0:
        raise TemplateError("step must be > 0")
    start = int(first or 0)
    start += size if start < 0 else 0
    if second is None:
        end = start + 1
    else:
        end = int(second[1:] or size)
        end += size if end < 0 else 0
        if start > end:
            raise TemplateError(f"starting index {start} is greater than ending index {end}")
        if start == end:
            return []
    for index in (start, end - 1):
        if not 0 <= index < size:
            raise TemplateError(f"array index out of bounds: index {index}, length {size}")
    return value[start:end:step]


def children(values: Values, _allow: bool) -> Values:
    """Go to everything that is held."""
    return [child for value in values for child in _below(value)]


def everything_below(values: Values, allow: bool) -> Values:
    """Go to everything at any depth, from the top down."""
    found: Values = []
    for value in values:
        found.append(value)
        found += everything_below(_below(value), allow)
    return found


def _below(value: Any) -> Values:
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    return list(value) if isinstance(value, list) else []


def kind(value: Any) -> str:
    """Return what a value is, for an error."""
    if isinstance(value, Mapping):
        return "a mapping"
    return {bool: "a boolean", str: "a string", int: "a number", float: "a number"}.get(type(value), "it")
