"""Know the functions of Go's template language, those that kubectl adds, and how Go prints values."""

from __future__ import annotations

import base64
import binascii
import html
import json
import operator
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from kubeadm_py.cli.printers.shown import TemplateError

_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+))?([a-zA-Z%])")


def show(value: Any, *, top: bool = True) -> str:
    """Return a value as Go's fmt prints it."""
    if value is None:
        return "<no value>" if top else "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{show(value[key], top=False)}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(show(item, top=False) for item in value)}]"
    return _float(value) if isinstance(value, float) else str(value)


def truth(value: Any) -> bool:
    """Say whether `if` takes a value for true: not 0, not nothing, not empty."""
    return bool(value)


def call(name: str, arguments: list[Any]) -> Any:
    """Return what a function makes of arguments; raise TemplateError where it does not take them."""
    try:
        return FUNCTIONS[name](*arguments)
    except TypeError:
        raise TemplateError(f"wrong number or kind of args for {name}") from None


def _float(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", repr(value))


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            if not isinstance(key, str):
                raise TemplateError(f"error calling index: {show(key)} is no key")
            value = value.get(key)
        elif isinstance(value, list | str) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise TemplateError(f"error calling index: index out of range: {key}")
            value = ord(value[key]) if isinstance(value, str) else value[key]
        elif value is None:
            raise TemplateError("error calling index: index of untyped nil")
        else:
            raise TemplateError(f"error calling index: can't index {show(value)} with {show(key)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, list | str) or not all(isinstance(bound, int) for bound in bounds):
        raise TemplateError("error calling slice: not a list or text with whole numbers")
    begin, end = (*bounds, *(0, len(value))[len(bounds) :])[:2]
    if not 0 <= begin <= end <= len(value):
        raise TemplateError("error calling slice: index out of range")
    return value[begin:end]


def _len(value: Any) -> int:
    if not isinstance(value, list | str | Mapping):
        raise TemplateError(f"error calling len: len of {show(value)}")
    return len(value.encode()) if isinstance(value, str) else len(value)


def _print(*values: Any) -> str:
    """Join as fmt.Sprint does: a blank between two of which neither is text."""
    text = ""
    for number, value in enumerate(values):
        apart = number and not isinstance(value, str) and not isinstance(values[number - 1], str)
        text += (" " if apart else "") + show(value, top=False)
    return text


def _printf(template: Any, *values: Any) -> str:
    if not isinstance(template, str):
        raise TemplateError("error calling printf: the format is no text")
    rest = list(values)

    def put(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if width == "*":
            raise TemplateError("error calling printf: a width of * is not supported")
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _formatted(verb, flags, precision, rest.pop(0))
        pad = "0" if "0" in flags and "-" not in flags and verb in "dxXfF" else " "
        size = int(width or 0)
        return text.ljust(size) if "-" in flags else text.rjust(size, pad)

    text = _VERB.sub(put, template)
    extra = ", ".join(f"{_type(value)}={show(value, top=False)}" for value in rest)
    return text + (f"%!(EXTRA {extra})" if rest else "")


def _formatted(verb: str, flags: str, precision: str | None, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb == "v" or (verb == "s" and not number and not isinstance(value, bool)):
        text = show(value, top=False)
        return text if precision is None or verb == "v" else text[: int(precision)]
    if verb == "q" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if verb == "t" and isinstance(value, bool):
        return show(value)
    if verb in "dxXob" and isinstance(value, int) and number:
        return format(value, ("+" if "+" in flags else "") + verb)
    if verb in "fFeEgG" and isinstance(value, float):
        return format(value, f".{precision or 6}{verb}")
    return f"%!{verb}({_type(value)}={show(value, top=False)})"


def _type(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}" if isinstance(value, Mapping) else "<nil>")


def _js(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    return re.sub(r"[<>&=\x00-\x1f]", lambda found: f"\\u{ord(found[0]):04X}", plain)


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TypeError
    return any(_compare(operator.eq, first, other) for other in others)


def _compare(compare: Callable[[Any, Any], bool], first: Any, other: Any) -> bool:
    if isinstance(first, Mapping | list) or isinstance(other, Mapping | list):
        raise TemplateError("error calling a comparison: non-comparable type")
    if first is None or other is None:
        return first is other if compare in (operator.eq, operator.ne) else _incompatible()
    if type(first) is not type(other):
        return _incompatible()
    return compare(first, other)


def _incompatible() -> bool:
    raise TemplateError("error calling a comparison: incompatible types for comparison")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda first, other: _compare(compare, first, other)


def _exists(value: Any, *keys: Any) -> bool:
    """Say whether a way leads to something (kubectl's own function)."""
    try:
        return _index(value, *keys) is not None
    except TemplateError:
        return False


def _base64decode(text: Any) -> str:
    try:
        return base64.b64decode(str(text), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise TemplateError("error calling base64decode: illegal base64 data") from None


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "not": lambda value: not truth(value),
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(show(value, top=False) for value in values) + "\n",
    "printf": _printf,
    "html": lambda *values: (
        html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    ),
    "js": lambda *values: _js(_print(*values)),
    "urlquery": lambda *values: urllib.parse.quote_plus(_print(*values), safe="~"),
    "eq": _equal,
    "ne": lambda first, other: not _compare(operator.eq, first, other),
    "lt": _ordered(operator.lt),
    "le": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "ge": _ordered(operator.ge),
    "exists": _exists,
    "base64decode": _base64decode,
}
"""By name."""
LAZY = ("and", "or")
"""Functions that look at no more arguments than they need: the evaluator knows them."""
