"""Hold what is wrong with a config, and say all of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubeadm_py.config.defaults import MAX_PROBLEMS
from kubeadm_py.errors import UsageError

Path = tuple[str | int, ...]
"""Where a value lies in a document: `("hosts", 2, "role")`."""

_TOKEN = re.compile(r"(?<![0-9A-Za-z.-])[a-z0-9]{6}\.[a-z0-9]{16}(?![0-9A-Za-z.-])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold one problem: where it is, the user's own key path, what was found and what is accepted.

    `file` is empty and `line` 0 where a flag is to blame; `path` is then the flag.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    @property
    def location(self) -> str:
        """Return `file:line:column`, or as much of it as is known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return "  ".join(part for part in (self.location, self.path, self.message) if part)


class ConfigError(UsageError):
    """Refuse a config or the flags that stand for one; `problems` lists everything wrong with it."""

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{subject} has {count} {noun}", details=report_lines(self.problems))

    def __str__(self) -> str:
        return "\n".join([self.summary, "", *(f"  {line}" for line in self.details)])


class Place(Protocol):
    """Know where the values of one document stand in what the user wrote; compared by identity."""

    def locate(self, path: Path) -> tuple[str, int, int]:
        """Return file, line and column of the key (or item) at `path`, else of its nearest parent."""

    def label(self, path: Path) -> str:
        """Return the name by which the user knows `path`."""


@dataclass(slots=True)
class Problems:
    """Collect problems and warnings; one complaint about a value silences those about its parts."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _blamed: set[tuple[Place, Path]] = field(default_factory=set)

    def error(self, place: Place, path: Path, message: str) -> None:
        """Add a problem unless `path` or a parent of it was already blamed."""
        if self.blamed(place, path):
            return
        self._blamed.add((place, path))
        self.errors.append(_problem(place, path, message))

    def blamed(self, place: Place, path: Path) -> bool:
        """Say whether `path` or a parent of it was already blamed."""
        return any((place, path[:length]) in self._blamed for length in range(len(path) + 1))

    def missing(self, place: Place, path: Path, message: str) -> None:
        """Add a problem about something absent, unless what was there is already blamed."""
        if not any(blamed[: len(path)] == path for blamer, blamed in self._blamed if blamer is place):
            self.error(place, path, message)

    def told(self, words: str) -> bool:
        """Say whether a problem has these words in it already."""
        return any(words in problem.message for problem in self.errors)

    @property
    def full(self) -> bool:
        """Say whether there are more problems than are ever shown, so that looking on is of no use."""
        return len(self.errors) > MAX_PROBLEMS

    def warning(self, place: Place, path: Path, message: str) -> None:
        """Add a warning."""
        self.warnings.append(_problem(place, path, message))

    def raise_if_any(self, subject: str) -> None:
        """Raise ConfigError where there is a problem, in the order of the lines."""
        if self.errors:
            raise ConfigError(subject, in_order(self.errors))


def _problem(place: Place, path: Path, message: str) -> Problem:
    file, line, column = place.locate(path)
    return Problem(file, line, column, redact(place.label(path)), redact(message))


def in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return `problems` once each by file and line, those without a line last; a flood is cut short."""
    ordered = sorted(
        dict.fromkeys(problems),
        key=lambda problem: (problem.file, not problem.line, problem.line, problem.column),
    )
    if len(ordered) <= MAX_PROBLEMS:
        return tuple(ordered)
    last = ordered[MAX_PROBLEMS]
    more = Problem(
        last.file, last.line, last.column, "", f"and {len(ordered) - MAX_PROBLEMS} more from here on"
    )
    return (*ordered[:MAX_PROBLEMS], more)


def report_lines(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Return one aligned line per problem."""
    where = max((len(problem.location) for problem in problems), default=0)
    named = max((len(problem.path) for problem in problems if len(problem.path) <= _LONGEST_SHOWN), default=0)
    lines = []
    for problem in problems:
        columns = [problem.location.ljust(where)] if where else []
        columns += [problem.path.ljust(named)] if named else []
        lines.append("   ".join([*columns, problem.message]).rstrip())
    return tuple(lines)


def redact(text: str) -> str:
    """Mask whatever looks like a bootstrap token."""
    return _TOKEN.sub("<token>", text)


def show(text: str) -> str:
    """Return a value for a message: in quotes, short, printable."""
    text = _UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], text[: _LONGEST_SHOWN + 1])
    return f'"{text[:_LONGEST_SHOWN]}…"' if len(text) > _LONGEST_SHOWN else f'"{text}"'


def key_path(path: Path) -> str:
    """Write a path as its user would: `spec.hosts[2].role`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            shown = step if len(step) <= _LONGEST_SHOWN else f"{step[:_LONGEST_SHOWN]}…"
            shown = _UNPRINTABLE.sub("?", shown)
            written += f".{shown}" if written else shown
    return written
