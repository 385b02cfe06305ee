"""Read YAML into nodes that know their line and column, as sigs.k8s.io/yaml reads it.

That is YAML 1.1 with JSON's types: `yes` is a boolean, a date stays text, keys are strings. Events are
used instead of PyYAML's own tree, so that depth and size are limited while reading and aliases are
counted before anything is expanded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from kubeadm_py.config.defaults import MAX_DEPTH, MAX_NODES, SCALAR_CHARACTERS_PER_NODE
from kubeadm_py.config.problems import ConfigError, Problem, redact, show

Scalar = str | int | float | bool | None
MERGE_KEY = "<<"

_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(?:0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_LONGEST_NUMBER = 40
_TAG_PREFIX = "tag:yaml.org,2002:"
_HINTS = {
    "mapping values are not allowed in this context": "quote a value that holds a colon, or indent",
    "did not find expected key": "mend the indentation or the quotes of this line or the one before",
    "could not find expected ':'": "a key needs a colon and a space after it",
    "did not find expected '-' indicator": "mend the indentation: this line is not of the list above",
    "found unexpected end of stream": "a quote or bracket is never closed",
}


@dataclass(slots=True)
class YamlNode:
    """Hold one value: a scalar, a list of nodes or a mapping of entries."""

    line: int
    column: int
    value: Scalar | list[YamlNode] | dict[str, Entry] = None
    raw: str = ""
    """The scalar as written."""
    weight: int = 1
    """How many nodes this is with every alias expanded."""
    height: int = 1


@dataclass(slots=True)
class Entry:
    """Hold one key of a mapping with the key's own place."""

    line: int
    column: int
    node: YamlNode


@dataclass(slots=True)
class Duplicate:
    """Hold a key that a mapping has twice; the later value stands."""

    mapping: YamlNode
    key: str
    line: int
    column: int
    first_line: int


@dataclass(slots=True)
class Stream:
    """Hold a file's documents and the duplicate keys in them."""

    documents: list[YamlNode] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """Hold a collection whose end has not been read yet."""

    node: YamlNode
    anchor: str | None
    key: YamlNode | None = None
    merges: list[YamlNode] = field(default_factory=list)


def read_stream(text: str, name: str) -> Stream:
    """Read every document of `text`; raise ConfigError at the first thing that is not YAML."""
    return _Reader(text, name).read()


def plain(node: YamlNode) -> Any:
    """Return a node as plain Python data; keys and items that are null are absent, as in Go."""
    if isinstance(node.value, dict):
        pairs = ((key, plain(entry.node)) for key, entry in node.value.items())
        return {key: value for key, value in pairs if value is not None}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._stream = Stream()
        self._open: list[_Open] = []
        self._anchors: dict[str, YamlNode] = {}
        self._total = 0

    def read(self) -> Stream:
        for event in self._events():
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                self._count(event, 1)
            elif isinstance(event, yaml.ScalarEvent):
                self._add(event, self._scalar(event), event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._add(event, self._alias(event), None)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end(event)
        return self._stream

    def _events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self._text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except (yaml.YAMLError, UnicodeError, ValueError, MemoryError):
            raise ConfigError(self._name, [Problem(self._name, 0, 0, "", "not YAML")]) from None

    def _start(self, event: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} levels deep")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._check_tag(event, "map" if is_mapping else "seq")
        line, column = _place(event)
        node = YamlNode(line, column, {} if is_mapping else [])
        self._open.append(_Open(node, event.anchor))

    def _end(self, event: Any) -> None:
        closed = self._open.pop()
        for source in closed.merges:
            self._merge(event, closed.node, source)
        if closed.node.height > MAX_DEPTH:
            raise self._error(
                event, f"nested more than {MAX_DEPTH} levels deep once its aliases are expanded"
            )
        self._add(event, closed.node, closed.anchor)

    def _add(self, event: Any, node: YamlNode, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._stream.documents.append(node)
            return
        parent = self._open[-1]
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = node
            return
        else:
            self._add_entry(event, parent, parent.key, node)
            parent.key = None
        _grow(parent.node, node)

    def _add_entry(self, event: Any, parent: _Open, key_node: YamlNode, node: YamlNode) -> None:
        mapping = parent.node.value
        assert isinstance(mapping, dict)  # noqa: S101 - _start made it one
        if key_node.value == MERGE_KEY and key_node.raw == MERGE_KEY:
            parent.merges.append(node)
            return
        key = self._key(event, key_node)
        if key in mapping:
            first_line = mapping[key].line
            self._stream.duplicates.append(
                Duplicate(parent.node, key, key_node.line, key_node.column, first_line)
            )
        mapping[key] = Entry(key_node.line, key_node.column, node)

    def _merge(self, event: Any, target: YamlNode, source: YamlNode) -> None:
        """Take over the keys of `<<: *source` that the mapping does not have itself."""
        mapping = target.value
        assert isinstance(mapping, dict)  # noqa: S101 - only mappings have merges
        sources = source.value if isinstance(source.value, list) else [source]
        for merged in sources:
            if not isinstance(merged.value, dict):
                raise self._error(event, f"{MERGE_KEY} merges mappings only", source)
            for key, entry in merged.value.items():
                mapping.setdefault(key, entry)

    def _key(self, event: Any, node: YamlNode) -> str:
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        if isinstance(node.value, str):
            return node.value
        if isinstance(node.value, int):
            return node.raw
        raise self._error(event, "a key must be text", node)

    def _scalar(self, event: Any) -> YamlNode:
        line, column = _place(event)
        raw: str = event.value
        node = YamlNode(line, column, raw, raw, weight=1 + len(raw) // SCALAR_CHARACTERS_PER_NODE)
        self._count(event, node.weight)
        if event.tag is not None and event.tag != "!":
            self._check_tag(event, "str", "int", "float", "bool", "null")
            if event.tag != _TAG_PREFIX + "str":
                node.value = self._resolve(node)
        elif event.implicit[0]:
            node.value = self._resolve(node)
        return node

    def _resolve(self, node: YamlNode) -> Scalar:
        raw = node.raw
        if raw in _NULLS:
            return None
        if raw in _BOOLEANS:
            return _BOOLEANS[raw]
        number = raw.replace("_", "")
        if _NOT_FINITE.match(number) or (len(number) > _LONGEST_NUMBER and _FLOAT.match(number)):
            message = f"{show(raw)} is no number that a config can hold; quote it if it is text"
            raise ConfigError(self._name, [Problem(self._name, node.line, node.column, "", redact(message))])
        if _INTEGER.match(number):
            return _integer(number)
        return float(number) if _FLOAT.match(number) and math.isfinite(float(number)) else raw

    def _alias(self, event: Any) -> YamlNode:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._error(event, f"the alias *{event.anchor[:40]} has no anchor before it")
        self._count(event, node.weight)
        return node

    def _count(self, event: Any, weight: int) -> None:
        self._total += weight
        if self._total > MAX_NODES:
            expanded = " once its aliases are expanded" if isinstance(event, yaml.AliasEvent) else ""
            raise self._error(event, f"more than {MAX_NODES} values{expanded}; a config has some hundreds")

    def _check_tag(self, event: Any, *allowed: str) -> None:
        if event.tag is None or event.tag == "!" or event.tag.removeprefix(_TAG_PREFIX) in allowed:
            return
        raise self._error(event, f"the YAML tag {show(event.tag)} is not accepted; leave it out")

    def _error(self, event: Any, message: str, node: YamlNode | None = None) -> ConfigError:
        line, column = (node.line, node.column) if node is not None else _place(event)
        return ConfigError(self._name, [Problem(self._name, line, column, "", redact(message))])

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> ConfigError:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        lines = self._text.splitlines()
        if 0 < line <= len(lines):
            before = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
            if "\t" in before:
                message = "a tab in the indentation; YAML indents with spaces only"
                return ConfigError(
                    self._name, [Problem(self._name, line, before.index("\t") + 1, "", message)]
                )
        problem = error.problem or "syntax error"
        hint = _HINTS.get(problem, "")
        message = f"not YAML: {problem}" + (f"; {hint}" if hint else "")
        return ConfigError(self._name, [Problem(self._name, line, column, "", message)])


def _grow(parent: YamlNode, child: YamlNode) -> None:
    parent.weight += child.weight
    parent.height = max(parent.height, child.height + 1)


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _integer(number: str) -> int:
    sign = -1 if number.startswith("-") else 1
    digits = number.lstrip("+-")
    for prefix, base in (("0b", 2), ("0x", 16), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") and digits != "0" else 10)
