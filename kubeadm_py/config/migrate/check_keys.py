"""Check an old document before it is translated: no key that its version never had, no odd type."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.config.migrate.keys import ANYTHING, BOOLEANS, KEYS, LISTS, Keys
from kubeadm_py.config.migrate.notes import Notes
from kubeadm_py.config.migrate.tree import MigratedDocument, OldDocument, Value
from kubeadm_py.config.old_versions import old_version
from kubeadm_py.config.problems import Problems
from kubeadm_py.model.near import did_you_mean


def check_keys(document: OldDocument, notes: Notes, problems: Problems, allow_unknown_fields: bool) -> None:
    """Add a problem for every key that this version never had and for every value of another type.

    With `allow_unknown_fields` such a key is left out, with a note.
    """
    version = old_version(document.api)
    if not version:
        return
    place = MigratedDocument.of(document)
    keys = KEYS[version][document.kind]
    for parent, key, known in list(_unknown(document.root, keys)):
        value = parent.mapping[key]
        message = f"{version} has no such key here{did_you_mean(key, known)}"
        if allow_unknown_fields:
            del parent.mapping[key]
            notes.dropped(value, message)
        else:
            problems.error(place, value.was, message)
    for value, wanted in _of_another_type(document.root, keys):
        problems.error(place, value.was, f"{_describe(value)} where {wanted} is wanted")


def _unknown(value: Value, keys: Keys) -> Iterator[tuple[Value, str, Keys]]:
    for item in value.items:
        yield from _unknown(item, keys)
    for key, entry in value.mapping.items():
        if key not in keys:
            yield value, key, keys
        elif keys[key] is not None and keys[key] is not ANYTHING:
            yield from _unknown(entry, keys[key])


def _of_another_type(value: Value, keys: Keys) -> Iterator[tuple[Value, str]]:
    for key, entry in value.mapping.items():
        below = keys.get(key)
        if entry.content is None:
            continue
        if key in LISTS:
            if not isinstance(entry.content, list):
                yield entry, "a list"
                continue
            for item in entry.items:
                if (below is not None) is not isinstance(item.content, dict):
                    yield item, "a mapping" if below is not None else "a plain value"
                elif below is not None:
                    yield from _of_another_type(item, below)
        elif key in BOOLEANS or (key == "controlPlane" and below is None):
            if not isinstance(entry.content, bool):
                yield entry, "true or false"
        elif below is not None and not isinstance(entry.content, dict):
            yield entry, "a mapping"
        elif below is None and isinstance(entry.content, dict | list):
            yield entry, "a plain value"
        elif below is not None and below is not ANYTHING:
            yield from _of_another_type(entry, below)


def _describe(value: Value) -> str:
    if isinstance(value.content, dict):
        return "a mapping"
    if isinstance(value.content, list):
        return "a list"
    return "a plain value"
