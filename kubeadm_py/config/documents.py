"""Tell a stream's documents apart by apiVersion and kind, each value keeping its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kubeadm_py.config import yaml_nodes
from kubeadm_py.config.defaults import API_OF_KIND, KUBEADM_API
from kubeadm_py.config.old_versions import MIGRATE, how_to_migrate, old_version
from kubeadm_py.config.problems import Path, Place, Problems, key_path, show
from kubeadm_py.config.yaml_nodes import Duplicate, Stream, YamlNode
from kubeadm_py.model.near import closest


class Document(Place, Protocol):
    """Hold one document of the config, from a file or from flags."""

    kind: str
    data: dict[str, Any]

    def raw(self, path: Path) -> str:
        """Return the scalar at `path` as the user wrote it; empty where there is none."""

    def nulls(self) -> list[Path]:
        """Return the keys that the user wrote without a value; `data` does not have them."""


def given(document: Document, path: Path) -> bool:
    """Say whether the user wrote something at `path`."""
    return value_at(document.data, path) is not None


def value_at(data: Any, path: Path) -> Any:
    """Return the value at `path` of plain data, None where there is none (null is absent already)."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def named_path(data: Any, path: Path) -> Path:
    """Return `path`, of which an item of a list may be called by its name, with that item's index instead.

    It ends where `data` has nothing more of it.
    """
    found: list[str | int] = []
    for step in path:
        key: Any = step
        if isinstance(data, list) and isinstance(step, str):
            # An add-on without parameters is its name alone.
            names = [item.get("name") if isinstance(item, dict) else item for item in data]
            key = names.index(step) if step in names else None
        inside = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not inside:
            break
        data = data[key]
        found.append(key)
    return tuple(found)


@dataclass(slots=True, eq=False)
class YamlDocument:
    """Hold one document of a YAML file."""

    file: str
    kind: str
    root: YamlNode
    data: dict[str, Any]

    def locate(self, path: Path) -> tuple[str, int, int]:
        """Return file, line and column of the key (or item) at `path`, else of its nearest parent."""
        line, column = self.root.line, self.root.column
        node = self.root
        for step in path:
            if isinstance(step, str) and isinstance(node.value, dict) and step in node.value:
                entry = node.value[step]
                line, column, node = entry.line, entry.column, entry.node
            elif isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
                node = node.value[step]
                line, column = node.line, node.column
            else:
                break
        return self.file, line, column

    def label(self, path: Path) -> str:
        """Return the user's own key path, the kind where it is about the document as a whole."""
        return key_path(path) or self.kind

    def raw(self, path: Path) -> str:
        """Return the scalar at `path` as the user wrote it; empty where there is none."""
        node = self.root
        for step in path:
            if isinstance(step, str) and isinstance(node.value, dict) and step in node.value:
                node = node.value[step].node
            elif isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
                node = node.value[step]
            else:
                return ""
        return node.raw

    def nulls(self) -> list[Path]:
        """Return the keys that the user wrote without a value; `data` does not have them."""
        return list(_nulls(self.root, ()))


def _nulls(node: YamlNode, path: Path) -> Iterator[Path]:
    if isinstance(node.value, dict):
        for key, entry in node.value.items():
            if entry.node.value is None:
                yield (*path, key)
            yield from _nulls(entry.node, (*path, key))


@dataclass(slots=True, eq=False)
class FlagDocument:
    """Hold a document that flags stand for: `flags` names the flag behind each path."""

    kind: str
    data: dict[str, Any]
    flags: Mapping[Path, str]

    def locate(self, path: Path) -> tuple[str, int, int]:  # noqa: ARG002 - a command line has no lines
        """Return no place at all."""
        return "", 0, 0

    def label(self, path: Path) -> str:
        """Return the flag that set `path` or a parent of it, else the key path."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.flags:
                return self.flags[path[:length]]
        return key_path(path)

    def raw(self, path: Path) -> str:  # noqa: ARG002 - flags are text already
        """Return an empty string."""
        return ""

    def nulls(self) -> list[Path]:
        """Return none: flags always have a value."""
        return []


@dataclass(slots=True, eq=False)
class _Whole:
    """Stand for a document that is not of a known kind."""

    file: str
    node: YamlNode

    def locate(self, path: Path) -> tuple[str, int, int]:
        entry = self.node.value.get(str(path[0])) if path and isinstance(self.node.value, dict) else None
        place = entry or self.node
        return self.file, place.line, place.column

    def label(self, path: Path) -> str:
        return key_path(path)


@dataclass(slots=True, eq=False)
class _Duplicate:
    """Stand for the second of two equal keys."""

    file: str
    duplicate: Duplicate

    def locate(self, path: Path) -> tuple[str, int, int]:  # noqa: ARG002 - the place is known
        return self.file, self.duplicate.line, self.duplicate.column

    def label(self, path: Path) -> str:
        return key_path(path)


def read_documents(
    text: str, name: str, problems: Problems, *, allow_unknown_fields: bool
) -> dict[str, Document]:
    """Return the documents of known kinds by kind; add a problem for everything else in the stream."""
    stream = yaml_nodes.read_stream(text, name)
    found: dict[str, Document] = {}
    for root in stream.documents:
        if root.value is None:
            continue
        document = read_document(root, name, problems, allow_unknown_fields)
        if document is None:
            continue
        if document.kind in found:
            line = found[document.kind].locate(())[1]
            problems.error(document, (), f"a second {document.kind}; the first is on line {line}")
            continue
        found[document.kind] = document
    report_duplicates(stream, name, problems, allow_unknown_fields)
    if not found and not problems.errors:
        accepted = ", ".join(API_OF_KIND)
        whole = _Whole(name, YamlNode(0, 0))
        problems.error(whole, (), f"no document in it; a config holds one or more of {accepted}")
    return found


def read_document(
    root: YamlNode, name: str, problems: Problems, allow_unknown_fields: bool
) -> YamlDocument | None:
    """Return a document of a known kind; None, and a problem, for everything else."""
    whole = _Whole(name, root)
    if not isinstance(root.value, dict):
        problems.error(whole, (), "not a mapping; a document starts with apiVersion and kind")
        return None
    api, kind = _text(root, "apiVersion"), _text(root, "kind")
    if not api or not kind:
        missing = " and ".join(key for key, value in (("apiVersion", api), ("kind", kind)) if not value)
        problems.error(
            whole, (), f"missing: {missing}; kubeadm's documents start with apiVersion: {KUBEADM_API}"
        )
        return None
    if API_OF_KIND.get(kind) == api:
        return _known(root, name, kind)
    _refuse(whole, api, kind, problems, allow_unknown_fields)
    return None


def _known(root: YamlNode, name: str, kind: str) -> YamlDocument:
    data = yaml_nodes.plain(root)
    del data["apiVersion"], data["kind"]
    return YamlDocument(name, kind, root, data)


def _refuse(whole: _Whole, api: str, kind: str, problems: Problems, allow_unknown_fields: bool) -> None:
    if old_version(api):
        if not problems.told(MIGRATE):
            problems.error(whole, ("apiVersion",), how_to_migrate(api, whole.file))
        return
    group, _, version = api.rpartition("/")
    apis = {known.rpartition("/")[0]: known for known in API_OF_KIND.values()}
    if group in apis and api != apis[group]:
        message = f"version {show(version)} of {group} is refused: {apis[group]} is accepted"
        problems.error(whole, ("apiVersion",), message)
        return
    if kind in API_OF_KIND:
        message = f"{kind} belongs to {API_OF_KIND[kind]}, found {show(api)}"
        problems.error(whole, ("apiVersion",), message)
        return
    guess = closest(kind, API_OF_KIND)
    if group in apis:
        known = [name for name, its_api in API_OF_KIND.items() if its_api == api]
        message = f"{api} has no kind {show(kind)}: one of {', '.join(known)}"
    else:
        message = f"a foreign document ({api[:60]}, {show(kind)}): one of {', '.join(API_OF_KIND)}"
    message += f"; did you mean {guess}?" if guess else ""
    report = problems.warning if allow_unknown_fields else problems.error
    report(whole, ("kind",), message + (" (ignored)" if allow_unknown_fields else ""))


def report_duplicates(stream: Stream, name: str, problems: Problems, allow_unknown_fields: bool) -> None:
    """Add a problem for every key that a mapping has twice, a warning where unknown fields are allowed."""
    if not stream.duplicates:
        return
    paths: dict[int, Path] = {}
    for root in stream.documents:
        _collect_paths(root, (), paths)
    report = problems.warning if allow_unknown_fields else problems.error
    for duplicate in stream.duplicates:
        place = _Duplicate(name, duplicate)
        message = f"the key is given twice; first on line {duplicate.first_line}"
        message += ", the later one is used" if allow_unknown_fields else ""
        report(place, (*paths.get(id(duplicate.mapping), ()), duplicate.key), message)


def _collect_paths(node: YamlNode, path: Path, paths: dict[int, Path]) -> None:
    if isinstance(node.value, dict):
        paths.setdefault(id(node), path)
        for key, entry in node.value.items():
            _collect_paths(entry.node, (*path, key), paths)
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            _collect_paths(item, (*path, index), paths)


def _text(root: YamlNode, key: str) -> str:
    entry = root.value.get(key) if isinstance(root.value, dict) else None
    return entry.node.value if entry is not None and isinstance(entry.node.value, str) else ""
