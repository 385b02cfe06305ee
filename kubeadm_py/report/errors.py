"""Say what failed: what was being done and found, where, why, and what to type."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from kubeadm_py.engine.events import Failed, Found
from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.report.text import ASCII, UNICODE, Glyphs, advice, between, pad, plural, width_of, wrap

_FINDING = re.compile(r"^(?P<host>\S+)  (?P<check>\S+)  (?P<found>.+)$")
_WIDE = 100
"""Columns from which findings stand in columns of their own."""


def format_error(error: KubeadmPyError, *, width: int | None = None, glyphs: Glyphs | None = None) -> str:
    """Return an error (or the several that it carries in `errors`) as text for a person.

    Without `width` it suits standard error: the terminal's width, or no wrapping in a pipe.
    """
    glyphs = glyphs_for(sys.stderr) if glyphs is None else glyphs
    if width is None and sys.stderr.isatty():
        width = terminal_width()
    errors: Sequence[KubeadmPyError] = getattr(error, "errors", (error,))
    lines = list(
        failures("failed", [Failed.of(each) for each in errors], int(error.exit_code), width, glyphs)
    )
    return "\n".join(lines) + "\n"


def failures(
    verdict: str, failed: Sequence[Failed], exit_code: int, width: int | None, glyphs: Glyphs
) -> Iterator[str]:
    """Yield the lines about all that failed: one verdict line first, the exit code at the end."""
    exit_note = f"(exit {exit_code})"
    if len(failed) == 1:
        yield from failure(failed[0], width, glyphs, note=exit_note)
        return
    text = glyphs.text(verdict)
    if failed:
        hosts = {event.host for event in failed if event.host}
        on = f" on {plural(len(hosts), 'host')}" if hosts else ""
        text += f": {plural(len(failed), 'error')}{on}"
    yield from with_note(wrap(text, width, f"{glyphs.failed} "), exit_note, width)
    for event in failed:
        yield ""
        yield from failure(event, width, glyphs, indent="  ")


def failure(
    event: Failed, width: int | None, glyphs: Glyphs, *, indent: str = "", note: str = ""
) -> Iterator[str]:
    """Yield the lines about one failure: what (with `note` at the line's end), details, what to do."""
    where = f"{event.host}: " if event.host else ""
    first, *more = glyphs.text(event.summary).splitlines() or [""]
    summary = wrap(f"{where}{first}", width, f"{indent}{glyphs.failed} ", f"{indent}  ")
    yield from with_note(summary, note, width)
    details = [line for text in (*more, *event.details) for line in glyphs.text(text).splitlines() or [""]]
    if event.exit_code == ExitCode.PREFLIGHT and any(_FINDING.match(line) for line in details):
        yield from _refusals(details, width, glyphs, indent)
    else:
        for line in details:
            yield from _detail(line, width, f"{indent}    ")
    if event.fix:
        if details:
            yield ""
        yield from advice(glyphs.text(event.fix), width, f"{indent}  {glyphs.arrow} ")


def with_note(lines: list[str], note: str, width: int | None) -> list[str]:
    """Put a short note at the end of the last line, or on a line of its own where there is no room."""
    *before, last = lines
    if not note:
        return lines
    if width is not None and width_of(last) + 2 + len(note) > width:
        return [*lines, between("", note, width)]
    return [*before, between(last, note, width)]


def finding(event: Found, width: int | None, glyphs: Glyphs, indent: str = "      ") -> Iterator[str]:
    """Yield the lines about one finding that stops nothing."""
    level = "ignored" if event.ignored else event.severity
    where = f"{level}  {event.host}  " if event.host else f"{level}  "
    yield from wrap(f"{event.check}: {glyphs.text(event.found)}", width, indent + where, f"{indent}         ")
    if event.fix:
        yield from advice(glyphs.text(event.fix), width, f"{indent}         {glyphs.arrow} ")


def terminal_width() -> int:
    """Return the width of the terminal that the standard streams are on."""
    return max(shutil.get_terminal_size().columns, 20)


def glyphs_for(stream: TextIO) -> Glyphs:
    """Return the symbols that a stream can show: ASCII where it is not UTF-8 or the terminal is dumb."""
    encoding = (getattr(stream, "encoding", "") or "").lower().replace("-", "").replace("_", "")
    return UNICODE if encoding == "utf8" and os.environ.get("TERM") != "dumb" else ASCII


def _detail(line: str, width: int | None, indent: str) -> Iterator[str]:
    text = line.lstrip(" ")
    start = indent + line[: len(line) - len(text)]
    yield from advice(text, width, start, f"{start}  ") if text else [""]


def _refusals(details: Sequence[str], width: int | None, glyphs: Glyphs, indent: str) -> Iterator[str]:
    """Yield refused checks, host by host: in columns where there is room, else one below the other."""
    matches = [match for match in map(_FINDING.match, details) if match]
    hosts = max(width_of(match["host"]) for match in matches)
    checks = max(width_of(match["check"]) for match in matches)
    columns = width is None or width >= _WIDE
    host = ""
    for line in details:
        match = _FINDING.match(line)
        if match is None:
            start = f"{indent}  {' ' * (hosts + checks + 4)}" if columns else f"{indent}      "
            yield from advice(line.strip(), width, f"{start}{glyphs.arrow} ")
            continue
        if match["host"] != host:
            yield ""
            host = match["host"]
        name = f"{indent}  {pad(host, hosts)}  "
        if columns:
            yield from wrap(match["found"], width, f"{name}{pad(match['check'], checks)}  ")
        else:
            yield f"{name}{match['check']}"
            yield from wrap(match["found"], width, f"{indent}      ")
