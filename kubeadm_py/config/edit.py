"""Change single keys in the text of a config and leave every other byte as it is: comments, order, style.

What was written is read back: where the text does not say what it was to say, nothing is returned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kubeadm_py.config.defaults import API_OF_KIND
from kubeadm_py.config.problems import ConfigError, Path, key_path
from kubeadm_py.config.yaml_nodes import plain, read_stream
from kubeadm_py.config.yaml_values import scalar
from kubeadm_py.errors import KubeadmPyError

GONE = object()
"""Stands for the value of a key that is to be taken out."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Set the key at `path` of the document of this kind; an index of a list that is its length appends."""

    kind: str
    path: Path
    value: Any


class UneditableError(KubeadmPyError):
    """Report a key that cannot be changed without rewriting what a person wrote."""


def edited(text: str, edits: Sequence[Edit], name: str) -> str:
    """Return the config with the edits; raise UneditableError where one cannot be made in its place."""
    for edit in edits:
        wanted = _expected(text, edit, name)
        text = _with(text, edit)
        try:
            found = _documents(text, name)
        except ConfigError:
            found = {}
        if found != wanted:
            raise UneditableError(
                f"{name}: {edit.kind}: {key_path(edit.path)} stands in a form that only a person can change",
                fix=f"write it yourself: {key_path(edit.path)} = {_shown(edit.value)}",
            )
    return text


def _shown(value: Any) -> str:
    return "(taken out)" if value is GONE else _flow(value)


def _documents(text: str, name: str) -> dict[str, Any]:
    found = [plain(root) for root in read_stream(text, name).documents if root.value is not None]
    return {
        str(document.get("kind")): _without_empty(document)
        for document in found
        if isinstance(document, dict)
    }


def _without_empty(value: Any) -> Any:
    """Return data without empty mappings, which say as much as no key does."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(entry) for key, entry in value.items()}
    return {key: entry for key, entry in kept.items() if entry != {}}


def _expected(text: str, edit: Edit, name: str) -> dict[str, Any]:
    documents = _documents(text, name)
    if edit.value is GONE and edit.kind not in documents:
        return documents
    document = documents.setdefault(edit.kind, {"apiVersion": API_OF_KIND[edit.kind], "kind": edit.kind})
    _put(document, edit.path, edit.value)
    return {kind: _without_empty(each) for kind, each in documents.items()}


def _put(data: Any, path: Path, value: Any) -> None:
    for step, following in itertools.pairwise(path):
        if isinstance(data, dict):
            data = data.setdefault(step, [] if isinstance(following, int) else {})
        else:
            data = data[step]
    last = path[-1]
    if value is GONE:
        if isinstance(data, dict):
            data.pop(last, None)
        else:
            del data[last]
    elif isinstance(data, list) and last == len(data):
        data.append(value)
    else:
        data[last] = value


def _with(text: str, edit: Edit) -> str:
    for root in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        if isinstance(root, yaml.MappingNode) and _scalar_of(root, "kind") == edit.kind:
            return _Text(text).put(root, edit.path, edit.value)
    if edit.value is GONE:
        return text
    document: dict[str, Any] = {"apiVersion": API_OF_KIND[edit.kind], "kind": edit.kind}
    _put(document, edit.path, edit.value)
    start = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{start}---\n{_block(document)}"


def _scalar_of(node: yaml.MappingNode, key: str) -> str:
    return next((str(value.value) for name, value in node.value if name.value == key), "")


class _Dumper(yaml.SafeDumper):
    """Quote what our reader would not take for the same text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    quoted = scalar(text).startswith('"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Dumper.add_representer(str, _text)


def _flow(value: Any) -> str:
    """Write a value on one line."""
    return _dumped(value, flow=True).removesuffix("\n").removesuffix("\n...").strip()


def _block(value: Any) -> str:
    return _dumped(value, flow=False)


def _dumped(value: Any, *, flow: bool) -> str:
    written: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, width=1 << 30, allow_unicode=True
    )
    return written


class _Text:
    """Change a text at the places that its nodes have in it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def put(self, node: yaml.Node, path: Path, value: Any) -> str:
        """Return the text with the value at `path` below `node`."""
        step, rest = path[0], path[1:]
        key, inner = self._entry(node, step)
        if inner is None:
            return self.text if value is GONE else self._add(node, step, _nested(rest, value))
        if rest and not (isinstance(inner, yaml.ScalarNode) and not inner.value):
            return self.put(inner, rest, value)
        if value is GONE:
            return self._remove(node, key, inner) if not rest else self.text
        return self._replace(key, inner, _nested(rest, value))

    def _entry(self, node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
        if isinstance(node, yaml.MappingNode):
            return next(((key, inner) for key, inner in node.value if key.value == step), (None, None))
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return None, node.value[step]
        return None, None

    def _replace(self, key: yaml.Node | None, inner: yaml.Node, value: Any) -> str:
        start, end = inner.start_mark.index, _end(inner)
        written = _flow(value)
        if key is not None and (isinstance(inner, yaml.CollectionNode) or not inner.value):
            # From behind the colon: a block below its key goes with its line break.
            start = self.text.index(":", key.end_mark.index) + 1
            end = max(end, start)
            written = f" {written}"
        return self.text[:start] + written + self.text[end:]

    def _add(self, node: yaml.Node, step: str | int, value: Any) -> str:
        item = isinstance(node, yaml.SequenceNode)
        if not isinstance(node, yaml.CollectionNode):
            return self.text
        if node.flow_style or not node.value:
            close = node.end_mark.index - 1
            comma = ", " if node.value else ""
            entry = _flow(value) if item else f"{_flow(step)}: {_flow(value)}"
            return self.text[:close].rstrip() + comma + entry + self.text[close:]
        indent = " " * (node.start_mark.column if item else node.value[0][0].start_mark.column)
        lines = _block([value] if item else {step: value}).splitlines()
        at = self._line_end(_end(node))
        added = "".join(f"{indent}{line}\n" for line in lines)
        before = self.text[:at] if self.text[:at].endswith("\n") else f"{self.text[:at]}\n"
        return before + added + self.text[at:]

    def _remove(self, node: yaml.Node, key: yaml.Node | None, inner: yaml.Node) -> str:
        start, end = (key or inner).start_mark.index, _end(inner)
        starts = [(each[0] if isinstance(each, tuple) else each).start_mark.index for each in node.value]
        later = next((other for other in starts if other > start), None)
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            if later is not None:
                return self.text[:start] + self.text[later:]
            before = self.text[:start].rstrip()
            return before.removesuffix(",") + self.text[end:]
        line = self.text.rfind("\n", 0, start) + 1
        if not self.text[line:start].strip(" -") and (key is None or "-" not in self.text[line:start]):
            return self.text[:line] + self.text[self._line_end(end) :]
        return self.text if later is None else self.text[:start] + self.text[later:]

    def _line_end(self, index: int) -> int:
        """Return where the line after that of `index` begins; a block scalar has ended its line already."""
        if index and self.text[index - 1] == "\n":
            return index
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found + 1


def _nested(path: Path, value: Any) -> Any:
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def _end(node: yaml.Node) -> int:
    """Return where a node's own text ends: the end mark of a block is behind what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return max(_end(leaf) for leaf in _leaves(node))
    return int(node.end_mark.index)


def _leaves(node: yaml.CollectionNode) -> Iterator[yaml.Node]:
    for each in node.value:
        yield from each if isinstance(each, tuple) else (each,)
