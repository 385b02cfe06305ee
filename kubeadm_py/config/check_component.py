"""Check a component's config as strictly as kubeadm reads it: every key known, every value of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubeadm_py.config import scalars
from kubeadm_py.config.component_keys import COMPONENT_KEYS, Shape
from kubeadm_py.config.documents import Document
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.config.problems import Path, Problems
from kubeadm_py.model.near import did_you_mean

_INT32, _INT64 = 1 << 31, 1 << 63


def check_component(document: Document, problems: Problems, *, allow_unknown_fields: bool) -> None:
    """Add a problem for every unknown key (a warning where these are allowed) and every wrong type."""
    keys = COMPONENT_KEYS.get(document.kind)
    if keys is not None:
        _Checker(document, problems, allow_unknown_fields).mapping(document.data, keys, ())
        for path in document.nulls():
            if _shape(keys, path) == "duration":
                problems.error(document, path, "no duration follows; give one or take the key out")


def _shape(keys: Shape, path: Path) -> Shape | None:
    for step in path:
        inner = keys.get(step) if isinstance(keys, Mapping) and isinstance(step, str) else None
        if inner is None:
            return None
        keys = inner
    return keys


class _Checker:
    """Hold where problems go while a document is walked through."""

    def __init__(self, document: Document, problems: Problems, allow_unknown_fields: bool) -> None:
        self._document = document
        self._problems = problems
        self._allow_unknown_fields = allow_unknown_fields

    def mapping(self, data: Mapping[str, Any], keys: Mapping[str, Shape], path: Path) -> None:
        """Check a mapping whose keys are known."""
        for key, value in data.items():
            if self._problems.full:
                return
            if key in keys:
                self._value(value, keys[key], (*path, key))
            elif self._allow_unknown_fields:
                self._problems.warning(self._document, (*path, key), "unknown key; handed on as it is")
            else:
                guess = did_you_mean(key, keys)
                self._problems.error(self._document, (*path, key), f"unknown key{guess}")

    def _value(self, value: Any, shape: Shape, path: Path) -> None:
        if isinstance(shape, str):
            wanted, fits = _WORDS[shape]
            if not fits(value):
                self._wrong(path, wanted)
        elif isinstance(shape, list):
            self._items(value, shape[0], path)
        elif isinstance(value, Mapping):
            self.mapping(value, shape, path)
        else:
            self._wrong(path, "a mapping")

    def _items(self, value: Any, keys: Mapping[str, Shape], path: Path) -> None:
        if not isinstance(value, list):
            self._wrong(path, "a list")
            return
        for index, item in enumerate(value):
            self._value(item if item is not None else {}, keys, (*path, index))

    def _wrong(self, path: Path, wanted: str) -> None:
        found = self._document.raw(path)
        shown = f'"{found[:60]}"' if found else "this"
        self._problems.missing(self._document, path, f"{shown} is not {wanted}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_int(limit: int) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool) and -limit <= value < limit

    return fits


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_duration(value: Any) -> bool:
    return isinstance(value, str) and _accepted(parse_duration, value.removeprefix("-"))


def _is_quantity(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, str) and _accepted(scalars.quantity, value))


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _accepted(scalars.rfc3339, value)


def _accepted(check: Callable[[str], Any], value: str) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True


def _all_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(item is None or fits(item) for item in value)


def _by_key(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(fits(item) for item in value.values())


_WORDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("text; quote it", _is_text),
    "bool": ("true or false, without quotes", _is_bool),
    "int32": ("a whole number of 32 bits, without quotes", _is_int(_INT32)),
    "int64": ("a whole number, without quotes", _is_int(_INT64)),
    "float": ("a number, without quotes", _is_number),
    "duration": ("a duration like 24h0m0s, 90s or 0s", _is_duration),
    "optional duration": ("a duration like 24h0m0s, 90s or 0s", _is_duration),
    "duration or int": (
        "a duration like 5s",
        lambda value: _is_int(_INT64)(value) or _is_duration(value),
    ),
    "time": ("a time like 2026-11-21T00:00:00Z", _is_time),
    "quantity": ("a quantity like 100m, 1 or 128Mi", _is_quantity),
    "strings": ("a list of texts", _all_of(_is_text)),
    "ints": ("a list of whole numbers", _all_of(_is_int(_INT32))),
    "strings by key": ("a mapping whose values are texts; quote them", _by_key(_is_text)),
    "bools by key": ("a mapping whose values are true or false", _by_key(_is_bool)),
    "lists by key": ("a mapping whose values are lists of texts", _by_key(_all_of(_is_text))),
    "quantities": ("a mapping of quantities", _by_key(_is_quantity)),
}
"""What each word of COMPONENT_KEYS wants, for people and as a check."""
