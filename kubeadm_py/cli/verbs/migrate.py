"""Run `kubeadm-py config migrate`."""

from __future__ import annotations

import sys
from pathlib import Path

from kubeadm_py.artifacts.cache import write_atomically
from kubeadm_py.cli import telling
from kubeadm_py.config.defaults import KUBEADM_API
from kubeadm_py.config.migrate.notes import Fate
from kubeadm_py.config.migrate.translate import Migrated, migrate
from kubeadm_py.config.source import STDIN, read_text, refusal, source_name
from kubeadm_py.errors import UsageError

_TITLES = {
    Fate.MOVED: "moved",
    Fate.CHANGED: "changed",
    Fate.DROPPED: "left out",
    Fate.ASK: "to decide",
}


def run(old: str, new: str, *, allow_unknown_fields: bool) -> None:
    """Translate the file `old`, write it to `new` or print it, and tell what became of its keys."""
    name = source_name(old)
    text = read_text(old, sys.stdin.buffer if old == STDIN else None)
    if not text.strip():
        raise refusal(name, "the file is empty")
    folder = (Path() if old == STDIN else Path(old).parent).absolute()
    migrated = migrate(text, name, folder=folder, allow_unknown_fields=allow_unknown_fields)
    if new:
        _write(Path(new), migrated.text)
    else:
        sys.stdout.write(migrated.text)
    for first, text in _report(migrated, name, new):
        telling.say(text, first)


def _write(path: Path, text: str) -> None:
    try:
        if path.exists() and not path.is_file():
            # A device or pipe: what is read from there is nobody's file.
            path.write_text(text, encoding="utf-8")
        else:
            write_atomically(path, text.encode())
    except OSError as error:
        raise UsageError(f"--new-config {path} cannot be written: {error.strerror}") from error


def _report(migrated: Migrated, name: str, new: str) -> list[tuple[str, str]]:
    if not migrated.versions:
        return [("", f"{name} is of {KUBEADM_API} already; nothing to translate")]
    lines = []
    for fate, title in _TITLES.items():
        for note in migrated.of(fate):
            key = f"  {note.key}" if note.key else ""
            arrow = " -> " if fate is Fate.MOVED else ": "
            lines.append((f"{title:<9} ", f"{note.location}{key}{arrow}{note.message}"))
    counts = ", ".join(f"{len(migrated.of(fate))} {title}" for fate, title in _TITLES.items())
    lines.append(("", f"{name}: {', '.join(migrated.versions)} -> {KUBEADM_API}; keys: {counts}"))
    if new:
        lines.append(("", f"check it: kubeadm-py config validate --config {new}"))
    return lines
