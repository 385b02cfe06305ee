"""Carry a document from one version of kubeadm's format to the next by a table of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kubeadm_py.config.defaults import API_OF_KIND, KUBEADM_API
from kubeadm_py.config.migrate.notes import Notes
from kubeadm_py.config.migrate.tree import OldDocument, Value
from kubeadm_py.config.old_versions import GROUP
from kubeadm_py.config.problems import Path


@dataclass(slots=True)
class Stream:
    """Hold the documents of one file on their way, and what is noted about them."""

    documents: list[OldDocument]
    notes: Notes
    to: str = ""
    """The version that documents made now are of."""

    def of(self, kind: str, beside: OldDocument) -> OldDocument:
        """Return the file's document of this kind, made after `beside` where there is none yet."""
        for document in self.documents:
            if document.kind == kind:
                return document
        known = API_OF_KIND.get(kind, KUBEADM_API)
        api = f"{GROUP}/{self.to}" if known == KUBEADM_API else known
        root = Value({}, beside.root.line, beside.root.column, ())
        made = OldDocument(beside.file, api, kind, root, is_old=True)
        self.documents.insert(self.documents.index(beside) + 1, made)
        return made

    def find(self, kind: str) -> OldDocument | None:
        """Return the file's document of this kind."""
        return next((document for document in self.documents if document.kind == kind), None)


Change = Callable[[OldDocument, Stream], None]


def at(dotted: str) -> Path:
    """Return the path that `a.b.c` names."""
    return tuple(dotted.split("."))


@dataclass(frozen=True, slots=True)
class Table:
    """Say how the next version differs.

    Each mapping is kind -> old key (dotted) -> new place or reason. A new place is `Kind:key.path`, or the
    path alone where the kind stays. Changes run first, then moves, then drops; `renamed` comes last.
    """

    to: str
    changes: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    moves: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drops: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    """Kinds that the next version has no more, with the reason."""


def advance(document: OldDocument, table: Table, stream: Stream) -> None:
    """Carry one document over; what no rule names stays where it is."""
    stream.to = table.to
    for change in table.changes.get(document.kind, ()):
        change(document, stream)
    for old, new in table.moves.get(document.kind, {}).items():
        move(document, old, new, stream)
    for old, reason in table.drops.get(document.kind, {}).items():
        drop(document, old, reason, stream.notes)
    if document.kind in table.gone:
        stream.notes.dropped(document.root, table.gone[document.kind], document.kind)
        stream.documents.remove(document)
        return
    document.kind = table.renamed.get(document.kind, document.kind)
    document.api = f"{GROUP}/{table.to}"


def move(document: OldDocument, old: str, new: str, stream: Stream) -> None:
    """Put the value at `old` to `new`, where it is given and the new place is free."""
    value = document.take(at(old))
    if value is None:
        return
    kind, _, path = new.rpartition(":")
    target = stream.of(kind, document) if kind and kind != document.kind else document
    if target.get(at(path)) is not None:
        stream.notes.dropped(value, f"{path} is given already")
        return
    target.put(at(path), value)


def drop(document: OldDocument, old: str, reason: str, notes: Notes) -> None:
    """Take the value at `old` out and say why."""
    value = document.take(at(old))
    if value is not None:
        notes.dropped(value, reason)
