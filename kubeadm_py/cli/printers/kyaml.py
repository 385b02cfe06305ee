"""Write KYAML: the YAML in braces and quotes that kubectl prints with -o kyaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_READS_AS_OTHER = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_INDENT = "  "


def dump(value: Any) -> str:
    """Return a document, with the line that begins it; keys stay in their order."""
    return f"---\n{_value(value, '')}\n"


def _value(value: Any, indent: str) -> str:
    if isinstance(value, Mapping):
        return _block("{", _pairs(value, indent + _INDENT), "}", indent) if value else "{}"
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, Sequence):
        return _list(value, indent) if value else "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _pairs(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield f"{indent}{_key(str(key))}: {_value(item, indent)},\n"


def _list(value: Sequence[Any], indent: str) -> str:
    if all(isinstance(item, Mapping | list) for item in value):
        return f"[{', '.join(_value(item, indent) for item in value)}]"
    inner = indent + _INDENT
    return _block("[", (f"{inner}{_value(item, inner)},\n" for item in value), "]", indent)


def _block(begin: str, lines: Iterator[str], end: str, indent: str) -> str:
    return f"{begin}\n{''.join(lines)}{indent}{end}"


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _READS_AS_OTHER
    return key if plain else _text(key, "")


def _text(text: str, indent: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if "\n" not in escaped:
        return f'"{escaped}"'
    *lines, last = escaped.split("\n")
    ended = [f"{line}\\n\\" for line in lines] + ([f"{last}\\"] if last else [])
    shown = (
        f"{indent}  \\{line}" if line.startswith((" ", "\t")) else f"{indent}   {line}" for line in ended
    )
    return '"\\\n' + "\n".join(shown) + f'\n{indent}  "'
