"""Say what failed: what was being done and found, where, why, and what to type."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TextIO

from kubeadm_py.engine.events import Failed, Found
from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.model.words import plural
from kubeadm_py.report import alike
from kubeadm_py.report.text import ASCII, UNICODE, Glyphs, advice, between, pad, width_of, wrap

_FINDING = re.compile(r"^(?P<host>\S+)  (?P<check>\S+)  (?P<found>.+)$")
_PROBLEM = re.compile(r"^(?P<where>\S+:\d+:\d+ {2,}\S+) {2,}(?P<what>\S.*)$")
"""A problem of a config: place, key and what is wrong, in columns."""
_WIDE = 100
"""Columns from which findings stand in columns of their own."""
_NAMES_MOST = 32
"""Columns that the names of hosts may take there."""


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
    """Yield the lines about all that failed: one verdict line first, the exit code at its end.

    What is the same on several hosts is told once.
    """
    exit_note = f"(exit {exit_code})"
    apart = alike.failures(failed)
    if len(apart) == 1:
        yield from failure(apart[0], width, glyphs, note=exit_note)
        return
    text = glyphs.text(verdict)
    stopped = exit_code == ExitCode.INTERRUPTED
    if failed and not stopped:
        hosts = {event.host for event in failed if event.host}
        on = f" on {plural(len(hosts), 'host')}" if hosts else ""
        text += f": {plural(len(failed), 'error')}{on}"
    yield from with_note(wrap(text, width, f"{glyphs.failed} "), exit_note, width)
    # The verdict says by now that a person stopped the run.
    apart = [event for event in apart if event.host or event.exit_code != ExitCode.INTERRUPTED]
    fixes = {event.fix for event in apart}
    once = fixes.pop() if len(fixes) == 1 and len(apart) > 1 else ""
    for event in apart:
        yield ""
        yield from failure(replace(event, fix="") if once else event, width, glyphs, indent="  ")
    if once:
        yield ""
        yield from advice(glyphs.text(once), width, f"  {glyphs.arrow} ")


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


def finding(
    event: Found, hosts: str, width: int | None, glyphs: Glyphs, indent: str = "      "
) -> Iterator[str]:
    """Yield the lines about one finding that stops nothing; `hosts` names where it is so.

    Who had it ignored knows what to do about it.
    """
    level = "ignored" if event.ignored else event.severity
    text = f"{event.check}: {glyphs.text(event.found)}"
    where = f"{indent}{level}  {hosts}  " if hosts else f"{indent}{level}  "
    if width is not None and width_of(where) > width // 2:
        where, text = f"{indent}{level}  ", f"{hosts}: {text}"
    yield from wrap(text, width, where, f"{indent}         ")
    if event.fix and not event.ignored:
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
    problem = _PROBLEM.match(text)
    if problem and width is not None and width_of(start + text) > width:
        # Columns that do not fit are none: what is wrong stands below its place.
        yield from wrap(" ".join(problem["where"].split()), width, start)
        yield from wrap(problem["what"], width, f"{start}  ")
        return
    yield from advice(text, width, start, f"{start}  ") if text else [""]


def _refusals(details: Sequence[str], width: int | None, glyphs: Glyphs, indent: str) -> Iterator[str]:
    """Yield refused checks, host by host, hosts with the same ones together.

    In columns where there is room, else one below the other. What one host after the other is told to do
    about the same check is told after the last of them.
    """
    sections = _sections(details)
    hosts = max(width_of(names) for names, _ in sections)
    checks = max(width_of(refused.check) for _, among in sections for refused in among)
    columns = (width is None or width >= _WIDE) and hosts <= _NAMES_MOST
    aside = f"{indent}  {' ' * (hosts + checks + 4)}" if columns else f"{indent}      "
    one_below_the_other = False
    for (names, among), after in zip(sections, [*sections[1:], None], strict=True):
        if not one_below_the_other:
            yield ""
        one_below_the_other = after is not None and _same_to_do(among, after[1])
        for refused in among:
            if columns:
                name = f"{indent}  {pad(names, hosts)}  {pad(refused.check, checks)}  "
                yield from wrap(refused.found, width, name)
            else:
                beside = f"{indent}  {pad(names, hosts)}  {refused.check}"
                fits = width is None or width_of(beside) <= width
                yield from [beside] if fits else wrap(f"{names} {refused.check}", width, f"{indent}  ")
                yield from wrap(refused.found, width, f"{indent}      ")
            for line in () if one_below_the_other else refused.fix:
                yield from advice(line, width, f"{aside}{glyphs.arrow} ")


@dataclass(frozen=True, slots=True)
class _Refused:
    check: str
    found: str
    fix: tuple[str, ...] = ()


def _same_to_do(one: Sequence[_Refused], other: Sequence[_Refused]) -> bool:
    """Say whether each is one check, and the same is to be done about it."""
    return len(one) == 1 and [(each.check, each.fix) for each in one] == [
        (each.check, each.fix) for each in other
    ]


def _sections(details: Sequence[str]) -> list[tuple[str, list[_Refused]]]:
    """Return what was refused by the hosts, as they are named, of which all of it is so."""
    refused: list[tuple[str, _Refused]] = []
    for line in details:
        match = _FINDING.match(line)
        if match:
            refused.append((match["host"], _Refused(match["check"], match["found"])))
        elif refused:
            host, last = refused[-1]
            refused[-1] = host, replace(last, fix=(*last.fix, line.strip()))
    sections: dict[tuple[str, ...], list[_Refused]] = {}
    for hosts, what in alike.grouped(refused):
        sections.setdefault(hosts, []).append(what)
    return [(alike.named(hosts), among) for hosts, among in sections.items()]
