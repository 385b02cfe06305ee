"""Say what became of each key of an old file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kubeadm_py.config.migrate.tree import Value
from kubeadm_py.config.problems import Path, key_path, redact


class Fate(StrEnum):
    """Name what can become of a key."""

    MOVED = "moved"
    CHANGED = "changed"
    DROPPED = "dropped"
    ASK = "to decide"


@dataclass(frozen=True, slots=True)
class Note:
    """Hold one key's fate with its place in the old file."""

    fate: Fate
    file: str
    line: int
    key: str
    message: str

    @property
    def location(self) -> str:
        """Return `file:line`, the file alone where there is no line."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(slots=True)
class Notes:
    """Collect notes about one file."""

    file: str
    all: list[Note] = field(default_factory=list)

    def moved(self, value: Value, kind: str, path: Path) -> None:
        """Note that a key stands elsewhere now."""
        self._add(Fate.MOVED, value, f"{kind}.{key_path(path)}")

    def changed(self, value: Value, message: str) -> None:
        """Note that a value is another one now."""
        self._add(Fate.CHANGED, value, message)

    def dropped(self, value: Value, reason: str, key: str = "") -> None:
        """Note that a key is gone, and why; `key` names what has no key path, as a document."""
        self._add(Fate.DROPPED, value, reason, key)

    def ask(self, value: Value, question: str) -> None:
        """Note what a person has to decide."""
        self._add(Fate.ASK, value, question)

    def _add(self, fate: Fate, value: Value, message: str, key: str = "") -> None:
        note = Note(fate, self.file, value.line, redact(key_path(value.was)) or key, redact(message))
        if note not in self.all:
            self.all.append(note)
