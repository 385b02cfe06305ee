"""Hold documents that are being translated: every value knows where in the old file it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubeadm_py.config.problems import Path, key_path
from kubeadm_py.config.yaml_nodes import Scalar, YamlNode


@dataclass(slots=True, eq=False)
class Value:
    """Hold one value with the place of its key (or item) in the old file, and its path there."""

    content: Scalar | list[Value] | dict[str, Value]
    line: int
    column: int
    was: Path
    raw: str = ""
    made: bool = False
    """No key of the old file: a mapping or list that the new version has around it."""

    @property
    def mapping(self) -> dict[str, Value]:
        """Return the entries; empty where this is no mapping."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def items(self) -> list[Value]:
        """Return the items; empty where this is no list."""
        return self.content if isinstance(self.content, list) else []

    @property
    def text(self) -> str:
        """Return the string; empty where this is none."""
        return self.content if isinstance(self.content, str) else ""

    def like(self, content: Scalar | list[Value] | dict[str, Value]) -> Value:
        """Return new content that stands where this value stood."""
        return Value(content, self.line, self.column, self.was, made=True)


@dataclass(slots=True, eq=False)
class OldDocument:
    """Hold one document on its way; `data` is without apiVersion and kind."""

    file: str
    api: str
    kind: str
    root: Value
    head: tuple[int, ...] = ()
    """The lines of apiVersion and kind, which may have comments."""
    is_old: bool = False

    def get(self, path: Path) -> Value | None:
        """Return the value at `path`."""
        found: Value | None = self.root
        for step in path:
            if found is None:
                return None
            found = found.mapping.get(step) if isinstance(step, str) else None
        return found

    def take(self, path: Path) -> Value | None:
        """Take the value at `path` out; mappings that are empty then go, too."""
        above = self.get(path[:-1])
        last = path[-1]
        if above is None or not isinstance(last, str) or last not in above.mapping:
            return None
        taken = above.mapping.pop(last)
        while len(path) > 1 and above is not None and not above.mapping:
            path = path[:-1]
            above = self.get(path[:-1])
            if above is not None:
                above.mapping.pop(str(path[-1]), None)
        return taken

    def put(self, path: Path, value: Value) -> None:
        """Set the value at `path`, making the mappings above it; what stands there already stays."""
        above = self.root
        for step in path[:-1]:
            inner = above.mapping.get(str(step))
            if inner is None or not isinstance(inner.content, dict):
                inner = value.like({})
                above.mapping[str(step)] = inner
            above = inner
        above.mapping.setdefault(str(path[-1]), value)


def from_node(node: YamlNode) -> Value:
    """Return a node as a value, keys without a value included."""
    return _from(node, node.line, node.column, ())


def _from(node: YamlNode, line: int, column: int, path: Path) -> Value:
    if isinstance(node.value, dict):
        entries = {
            key: _from(entry.node, entry.line, entry.column, (*path, key))
            for key, entry in node.value.items()
        }
        return Value(entries, line, column, path)
    if isinstance(node.value, list):
        items = [_from(item, item.line, item.column, (*path, n)) for n, item in enumerate(node.value)]
        return Value(items, line, column, path)
    return Value(node.value, line, column, path, node.raw)


def leave_out_nulls(value: Value) -> None:
    """Take the keys without a value out: they say nothing, as in Go."""
    for key, entry in list(value.mapping.items()):
        if entry.content is None:
            del value.mapping[key]
        leave_out_nulls(entry)
    for item in value.items:
        leave_out_nulls(item)


def plain(value: Value) -> Any:
    """Return the value as plain data."""
    if isinstance(value.content, dict):
        return {key: plain(entry) for key, entry in value.content.items()}
    if isinstance(value.content, list):
        return [plain(item) for item in value.content]
    return value.content


def walk(value: Value) -> Iterator[Value]:
    """Yield the value and all below it, in the order in which they are written."""
    yield value
    below = value.mapping.values() if isinstance(value.content, dict) else value.items
    for inner in below:
        yield from walk(inner)


@dataclass(slots=True, eq=False)
class MigratedDocument:
    """Show a translated document to the checks: problems name the place and the key of the old file."""

    document: OldDocument
    kind: str
    data: dict[str, Any]

    @classmethod
    def of(cls, document: OldDocument) -> MigratedDocument:
        """Return the document as it is now."""
        content = plain(document.root)
        return cls(document, document.kind, content if isinstance(content, dict) else {})

    def locate(self, path: Path) -> tuple[str, int, int]:
        """Return file, line and column of what became `path`, else of its nearest parent."""
        value = self._nearest(path)[0]
        return self.document.file, value.line, value.column

    def label(self, path: Path) -> str:
        """Return the key path of the old file, with what is missing below it."""
        value, rest = self._nearest(path)
        return key_path((*value.was, *rest)) or self.kind

    def raw(self, path: Path) -> str:
        """Return the scalar at `path` as it was written."""
        value, rest = self._nearest(path)
        return "" if rest else value.raw

    def nulls(self) -> list[Path]:
        """Return nothing: keys without a value are not written into the new file."""
        return []

    def _nearest(self, path: Path) -> tuple[Value, Path]:
        value = self.document.root
        for depth, step in enumerate(path):
            if isinstance(step, str) and step in value.mapping:
                value = value.mapping[step]
            elif isinstance(step, int) and step < len(value.items):
                value = value.items[step]
            else:
                return value, path[depth:]
        return value, ()
