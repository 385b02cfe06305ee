"""Find the comments of a YAML text and the lines that they speak of."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import yaml


@dataclass(slots=True)
class Comments:
    """Hold comments, without their `#`'s indentation: above a line, and at its end."""

    above: dict[int, list[str]] = field(default_factory=dict)
    beside: dict[int, str] = field(default_factory=dict)
    last: list[str] = field(default_factory=list)
    """Those after everything else."""


def find_comments(text: str) -> Comments:
    """Return the comments of text that is YAML; a comment above belongs to the next line with content.

    Comments are what lies between the tokens: a `#` inside a scalar is none.
    """
    lines = text.splitlines()
    taken: list[tuple[int, int, int]] = []
    starts: set[int] = set()
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        start, end = token.start_mark, token.end_mark
        if start.index == end.index:
            continue
        if not isinstance(token, yaml.DocumentStartToken | yaml.DocumentEndToken):
            starts.add(start.line)
        last = end.line if end.column else max(start.line, end.line - 1)
        taken += [
            (line, start.column if line == start.line else 0, end.column if line == end.line else 1 << 30)
            for line in range(start.line, last + 1)
        ]
    covered: dict[int, list[tuple[int, int]]] = {}
    for line, begin, finish in taken:
        covered.setdefault(line, []).append((begin, finish))
    owners = sorted(starts)
    found = Comments()
    for number, text_line in enumerate(lines):
        at = _comment_at(text_line, covered.get(number, []))
        if at < 0:
            continue
        comment = text_line[at:].rstrip()
        if number in starts:
            found.beside[number + 1] = comment
            continue
        next_owner = bisect_left(owners, number)
        if next_owner == len(owners):
            found.last.append(comment)
        else:
            found.above.setdefault(owners[next_owner] + 1, []).append(comment)
    return found


def _comment_at(line: str, covered: list[tuple[int, int]]) -> int:
    """Return where a comment begins; -1 where there is none."""
    at = line.find("#")
    while at >= 0:
        inside = any(begin <= at < finish for begin, finish in covered)
        if not inside and (at == 0 or line[at - 1] in " \t"):
            return at
        at = line.find("#", at + 1)
    return -1
