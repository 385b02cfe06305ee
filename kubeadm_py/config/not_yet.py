"""List what kubeadm's and our own format can say and kubeadm-py does not carry out yet.

Such a field is refused by name as soon as it says anything: it is never ignored.
"""

from __future__ import annotations

from typing import Any

from kubeadm_py.config.documents import Document
from kubeadm_py.config.problems import Path, Problems

ITEMS = "*"
"""Stands for every item of a list or every key of a mapping."""

NOT_YET: dict[str, dict[tuple[str, ...], str]] = {}
_SAYS_NOTHING: tuple[object, ...] = (None, False, "", [], {})

NOT_YET_WORDS: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
"""Single words of a field that are not carried out yet."""


def refuse_not_yet(document: Document, problems: Problems) -> None:
    """Add a problem for everything in the document that is not yet supported."""
    for pattern, instead in NOT_YET.get(document.kind, {}).items():
        for path, value in _matches(document.data, pattern):
            if value not in _SAYS_NOTHING:
                problems.error(document, path, _message("not yet supported", instead))
    for pattern, words in NOT_YET_WORDS.get(document.kind, {}).items():
        for path, value in _matches(document.data, pattern):
            if isinstance(value, str) and value in words:
                problems.error(document, path, _message(f'"{value}" is not yet supported', words[value]))


def _message(what: str, instead: str) -> str:
    return f"{what}; {instead}" if instead else what


def _matches(value: Any, pattern: tuple[str, ...], path: Path = ()) -> list[tuple[Path, Any]]:
    if not pattern:
        return [(path, value)]
    step, rest = pattern[0], pattern[1:]
    found: list[tuple[Path, Any]] = []
    if step == ITEMS and isinstance(value, list):
        for index, item in enumerate(value):
            found += _matches(item, rest, (*path, index))
    elif step == ITEMS and isinstance(value, dict):
        for key, item in value.items():
            found += _matches(item, rest, (*path, key))
    elif isinstance(value, dict) and step in value:
        found += _matches(value[step], rest, (*path, step))
    return found
