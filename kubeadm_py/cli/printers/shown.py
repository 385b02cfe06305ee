"""Show values as Go's programs print them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class TemplateError(ValueError):
    """Say what is wrong with a template, or that it does not fit the object."""


def plain(value: Any) -> str:
    """Return a value as JSONPath prints it: what holds others as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list):
        return as_json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON as Go writes it: keys sorted, and what HTML would take for its own escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent, separators=separators)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
