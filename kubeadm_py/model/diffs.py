"""Compare texts: unified diffs whose hunks say below which key they are."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence

CONTEXT = 3
_HUNK = re.compile(r"^@@ -(\d+)")
_SECTION = re.compile(r"^\s*(?:\[.+\]|[^#\s].*[:{])\s*$")


def unified(before: str, after: str, name: str) -> str:
    """Return a unified diff of two texts; empty where they are the same."""
    old, new = before.splitlines(), after.splitlines()
    lines = list(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (planned)", lineterm="", n=CONTEXT))
    for number, line in enumerate(lines):
        match = _HUNK.match(line)
        if match is not None:
            context = itertools.takewhile(lambda each: each.startswith(" "), lines[number + 1 :])
            first = max(int(match[1]) - 1, 0) + len(list(context))
            lines[number] = f"{line} {heading(old, first)}".rstrip()
    return "".join(f"{line}\n" for line in lines)


def heading(lines: Sequence[str], at: int) -> str:
    """Return the nearest line before `at` that opens a section which line `at` lies in, without its marks."""
    at = min(at, len(lines))
    depth = _depth(lines[at]) if at < len(lines) and lines[at].strip() else 1 << 20
    for line in reversed(lines[:at]):
        if line.strip() and _SECTION.match(line) and (_depth(line) <= depth):
            return line.strip().removeprefix("- ").rstrip(":{").strip()
    return ""


def _depth(line: str) -> int:
    # A list's items stand as deep as the key above them.
    text = line.lstrip(" -") if line.lstrip().startswith("- ") else line.lstrip()
    return len(line) - len(text)


def compact(diff: str) -> list[str]:
    """Return a unified diff's changed lines only, each run of them below `@@ SECTION`."""
    shown: list[str] = []
    section, said = "", ""
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            section = line.partition(" @@")[2].strip()
            continue
        if line[:1] in "+-":
            if section and section != said:
                shown.append(f"@@ {section}")
            said = section
            shown.append(line)
    return shown
