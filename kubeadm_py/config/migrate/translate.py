"""Translate a whole file: read it, carry it from version to version and up to today, check it, write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from kubeadm_py.config import yaml_nodes
from kubeadm_py.config.defaults import API_OF_KIND, KUBEADM_API
from kubeadm_py.config.documents import Document, read_document, read_documents, report_duplicates
from kubeadm_py.config.migrate.check_keys import check_keys
from kubeadm_py.config.migrate.comments import find_comments
from kubeadm_py.config.migrate.keys import KEYS
from kubeadm_py.config.migrate.notes import Fate, Note, Notes
from kubeadm_py.config.migrate.rules import Stream, Table, advance
from kubeadm_py.config.migrate.to_v1alpha3 import TO_V1ALPHA2, TO_V1ALPHA3
from kubeadm_py.config.migrate.to_v1beta1 import TO_V1BETA1
from kubeadm_py.config.migrate.to_v1beta4 import TO_V1BETA2, TO_V1BETA3, TO_V1BETA4
from kubeadm_py.config.migrate.today import bring_up
from kubeadm_py.config.migrate.tree import MigratedDocument, OldDocument, Value, from_node, leave_out_nulls
from kubeadm_py.config.migrate.write import write
from kubeadm_py.config.old_versions import GROUP, MIGRATE, old_version
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.resolve import check
from kubeadm_py.config.source import refusal
from kubeadm_py.config.whole import read_whole
from kubeadm_py.config.yaml_nodes import YamlNode
from kubeadm_py.model.near import did_you_mean

CHAIN: Mapping[str, Table] = {
    "v1alpha1": TO_V1ALPHA2,
    "v1alpha2": TO_V1ALPHA3,
    "v1alpha3": TO_V1BETA1,
    "v1beta1": TO_V1BETA2,
    "v1beta2": TO_V1BETA3,
    "v1beta3": TO_V1BETA4,
}
"""Each old version with what carries it to the next."""
NOTHING = "no document in it; an old file has a kind like MasterConfiguration or ClusterConfiguration"


@dataclass(frozen=True, slots=True)
class Migrated:
    """Hold the translated text, of which versions the old file was, and what became of its keys."""

    text: str
    versions: tuple[str, ...]
    notes: tuple[Note, ...]

    def of(self, fate: Fate) -> list[Note]:
        """Return the notes of one fate by line."""
        return sorted((note for note in self.notes if note.fate is fate), key=lambda note: note.line)


def migrate(text: str, name: str, *, folder: FilePath, allow_unknown_fields: bool = False) -> Migrated:
    """Return the file in v1beta4; raise ConfigError naming the places in the old file.

    `name` is what messages call the file. A file that has no older document comes back as it is. What
    `allow_unknown_fields` lets pass is left out, with a note.
    """
    problems = Problems()
    stream = Stream(_read(text, name, problems, allow_unknown_fields), Notes(name))
    problems.raise_if_any(name)
    versions = tuple(dict.fromkeys(document.api for document in stream.documents if document.is_old))
    for document in stream.documents:
        check_keys(document, stream.notes, problems, allow_unknown_fields)
        leave_out_nulls(document.root)
    problems.raise_if_any(name)
    for version, table in CHAIN.items():
        for document in list(stream.documents):
            if document.api == f"{GROUP}/{version}":
                advance(document, table, stream)
    if versions:
        bring_up(stream)
        _note_moves(stream)
        _leave_out_empty(stream)
        documents = _by_kind(stream, problems)
    else:
        documents = read_documents(text, name, problems, allow_unknown_fields=allow_unknown_fields)
    whole = read_whole(
        documents, problems, file=name, folder=folder, allow_unknown_fields=allow_unknown_fields
    )
    check(whole, problems)
    problems.raise_if_any(name)
    notes = tuple(stream.notes.all)
    if not versions:
        return Migrated(text, versions, notes)
    written = write(stream.documents, find_comments(text))
    migrated = Migrated(written, versions, notes)
    return Migrated("".join(f"{line}\n" for line in _head(migrated, name)) + written, versions, notes)


def _read(text: str, name: str, problems: Problems, allow_unknown_fields: bool) -> list[OldDocument]:
    stream = yaml_nodes.read_stream(text, name)
    documents = []
    for root in stream.documents:
        if root.value is None:
            continue
        old = _old_document(root, name, problems)
        if old is not None:
            documents.append(old)
        elif not _is_old(root):
            known = read_document(root, name, problems, allow_unknown_fields)
            if known is not None:
                documents.append(_document(root, name, is_old=False))
    report_duplicates(stream, name, problems, allow_unknown_fields)
    if not documents and not problems.errors:
        raise refusal(name, NOTHING)
    return documents


def _is_old(root: YamlNode) -> bool:
    return bool(old_version(_text(root, "apiVersion"))) and bool(_text(root, "kind"))


def _old_document(root: YamlNode, name: str, problems: Problems) -> OldDocument | None:
    if not _is_old(root):
        return None
    document = _document(root, name, is_old=True)
    kinds = KEYS[old_version(document.api)]
    if document.kind not in kinds:
        message = f"{document.api} has no kind {show(document.kind)}: one of {', '.join(kinds)}"
        guess = did_you_mean(document.kind, kinds)
        problems.error(MigratedDocument.of(document), (), message + guess)
        return None
    return document


def _document(root: YamlNode, name: str, *, is_old: bool) -> OldDocument:
    value = from_node(root)
    api, kind = value.mapping.pop("apiVersion"), value.mapping.pop("kind")
    return OldDocument(name, api.text, kind.text, value, (api.line, kind.line), is_old)


def _text(root: YamlNode, key: str) -> str:
    entry = root.value.get(key) if isinstance(root.value, dict) else None
    return entry.node.value if entry is not None and isinstance(entry.node.value, str) else ""


def _note_moves(stream: Stream) -> None:
    for document in stream.documents:
        for key, value in document.root.mapping.items():
            _note_move(document.kind, (key,), value, stream.notes)


def _note_move(kind: str, path: Path, value: Value, notes: Notes) -> None:
    if not value.made and value.was and value.was != path and value.line:
        if value.was[: len(path)] != path:
            notes.moved(value, kind, path)
        return
    for key, entry in value.mapping.items():
        _note_move(kind, (*path, key), entry, notes)
    for index, item in enumerate(value.items if value.made else ()):
        _note_move(kind, (*path, index), item, notes)


def _leave_out_empty(stream: Stream) -> None:
    """Leave out documents that the translation made or emptied and that say nothing."""
    for document in list(stream.documents):
        if document.is_old and not document.root.mapping and len(stream.documents) > 1:
            stream.documents.remove(document)


def _by_kind(stream: Stream, problems: Problems) -> dict[str, Document]:
    """Return the documents as the checks want them; problems name the places in the old file."""
    documents: dict[str, Document] = {}
    for document in stream.documents:
        shown = MigratedDocument.of(document)
        assert API_OF_KIND[document.kind] == document.api  # noqa: S101 - the chain ends at today's
        if document.kind in documents:
            line = documents[document.kind].locate(())[1]
            problems.error(shown, (), f"a second one; the first is on line {line}")
            continue
        documents[document.kind] = shown
    return documents


def _head(migrated: Migrated, name: str) -> Iterator[str]:
    yield f"# {name} ({', '.join(migrated.versions)}) in {KUBEADM_API}, translated by {MIGRATE}."
    for fate, title in (
        (Fate.ASK, "To decide"),
        (Fate.DROPPED, "Left out"),
        (Fate.CHANGED, "Changed"),
    ):
        notes = migrated.of(fate)
        if notes:
            yield f"# {title}:"
        for note in notes:
            yield f"# - {note.location} {note.key}: {note.message}".replace(" :", ":")
