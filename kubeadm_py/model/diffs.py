"""Compare texts: unified diffs whose hunks say below which key they are."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence

CONTEXT = 3
_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)")
_SECTION = re.compile(r"^\s*(?:\[.+\]|[^#\s].*[:{])\s*$")


def unified(before: str, after: str, name: str) -> str:
    """Return a unified diff of two texts; empty where they are the same."""
    old, new = before.splitlines(), after.splitlines()
    lines = list(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (planned)", lineterm="", n=CONTEXT))
    for number, line in enumerate(lines):
        match = _HUNK.match(line)
        if match is None:
            continue
        context = list(itertools.takewhile(lambda each: each.startswith(" "), lines[number + 1 :]))
        # A line that is new lies where the new text has it.
        added = lines[number + 1 + len(context)].startswith("+")
        text, start = (new, match[2]) if added else (old, match[1])
        lines[number] = f"{line} {heading(text, max(int(start) - 1, 0) + len(context))}".rstrip()
    return "".join(f"{line}\n" for line in lines)


def heading(lines: Sequence[str], at: int) -> str:
    """Return the nearest line before `at` that opens a section which line `at` lies in, without its marks."""
    at = min(at, len(lines))
    depth = _depth(lines[at]) if at < len(lines) and lines[at].strip() else 1 << 20
    for line in reversed(lines[:at]):
        if line.strip() and _SECTION.match(line) and _opens(line, depth):
            return line.strip().removeprefix("- ").rstrip(":{").strip()
    return ""


def _opens(line: str, depth: int) -> bool:
    """Say whether what is this deep may lie in the section that a line opens; TOML need not indent."""
    return _depth(line) < depth or line.lstrip().startswith("[")


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
