"""Lay out text for people: symbols, wrapping that leaves commands whole, durations."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_WORD = re.compile(r"`[^`]*`\S*|\S+")
_PROGRAMS = (
    "apt|apt-get|cat|chmod|chsh|crictl|ctr|df|dnf|etcdctl|export|firewall-cmd|fuser|hostnamectl|ip|iptables|"
    "journalctl|kubeadm|kubeadm-py|kubectl|ls|modprobe|mount|nc|nft|openssl|rm|ss|ssh|ssh-add|ssh-copy-id|"
    "ssh-keygen|ssh-keyscan|swapoff|sysctl|systemctl|timedatectl|ufw|visudo"
)
_COMMAND = re.compile(rf"(?:sudo )?(?:(?:{_PROGRAMS})(?= |$)|--[a-z]|[A-Z][A-Z_]*=)")
"""How what is to be typed begins, in texts that say so after a colon."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Hold the symbols of a display; ASCII has a likeness of each."""

    done: str = "✓"
    failed: str = "✗"
    running: str = "●"
    waiting: str = "○"
    dot: str = "·"
    arrow: str = "→"
    more: str = "…"
    ascii: bool = False

    def text(self, text: str) -> str:
        """Return what can be shown of `text`, whatever a host or a file put into it."""
        shown = clean(text)
        if self.ascii:
            for symbol, likeness in (("·", "-"), ("→", "->"), ("…", "..."), ("–", "-"), ("’", "'")):
                shown = shown.replace(symbol, likeness)
            return shown.encode("ascii", "replace").decode()
        return shown


UNICODE = Glyphs()
ASCII = Glyphs("+", "x", "*", "o", "-", "->", "...", ascii=True)


def clean(text: str) -> str:
    """Take out what would steer a terminal: escape sequences, control and direction characters."""
    return _CONTROL.sub("", text.replace("\t", "    "))


def duration(seconds: float) -> str:
    """Return seconds as a person reads them: 1.4s, 2m03s, 1h02m."""
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def width_of(text: str) -> int:
    """Return how many columns `text` takes."""
    return cell_len(text)


def pad(text: str, width: int) -> str:
    """Return `text` filled up to `width` columns; longer text is left as it is."""
    return text + " " * max(width - cell_len(text), 0)


def cut(text: str, width: int, more: str = "…") -> str:
    """Return `text` shortened to `width` columns; for what is only to be glanced at."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - cell_len(more), 0)).rstrip() + more if width > 0 else ""


def between(left: str, right: str, width: int | None, more: str = "…") -> str:
    """Return one line with `right` at the right edge (after two spaces where there is no edge)."""
    if width is None:
        return f"{left}  {right}".rstrip()
    room = width - cell_len(right) - (2 if right else 0)
    return (pad(cut(left, room, more), room) + ("  " if right else "") + right).rstrip()


def wrap(text: str, width: int | None, first: str = "", rest: str | None = None) -> list[str]:
    """Break text at spaces to lines of at most `width` columns; `first` and `rest` begin them.

    A word is never broken, nor what stands in backquotes; a line is longer only where one of those is. None
    for `width` breaks nothing.
    """
    rest = " " * cell_len(first) if rest is None else rest
    if width is None:
        return [(first + text).rstrip()]
    lines: list[str] = []
    line, empty = first, True
    for word in _WORD.findall(text):
        if not empty and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line, empty = rest, True
        line += word if empty else f" {word}"
        empty = False
    return [*lines, line.rstrip()]


def command(text: str, width: int | None, indent: str) -> list[str]:
    """Return a command that is to be typed; where it is too long it goes on after a backslash.

    So every line can be copied as it stands. A single word that is longer than the line stays whole.
    """
    if width is None or cell_len(indent + text) <= width:
        return [indent + text]
    lines: list[str] = []
    line = indent
    for word in _shell_words(text):
        if line.strip() and cell_len(line) + 1 + cell_len(word) + 2 > width:
            lines.append(f"{line} \\")
            line = indent + "  "
        line += word if not line.strip() else f" {word}"
    return [*lines, line]


def advice(text: str, width: int | None, first: str, rest: str | None = None) -> list[str]:
    """Return what to do next: prose is wrapped, a command after a colon at its end gets its own lines."""
    rest = " " * cell_len(first) if rest is None else rest
    lines: list[str] = []
    for number, part in enumerate(text.splitlines() or [""]):
        start = rest if number else first
        say, typed = _split(part)
        if width is None or cell_len(start + part) <= width:
            lines.append(start + part)
        elif not typed:
            lines += wrap(part, width, start, rest)
        elif say:
            lines += wrap(say, width, start, rest)
            lines += command(typed, width, f"{rest}  ")
        else:
            begin, *further = command(typed, width, rest)
            lines += [start + begin.removeprefix(rest), *further]
    return lines


def _split(text: str) -> tuple[str, str]:
    """Split advice into what is said and the command at its end; either may be empty."""
    if _COMMAND.match(text):
        return "", text
    for colon in re.finditer(": ", text):
        if _COMMAND.match(text, colon.end()):
            return text[: colon.start() + 1], text[colon.end() :]
    return text, ""


def _shell_words(text: str) -> list[str]:
    """Split at spaces outside quotes, each word as it was written."""
    try:
        lexer = shlex.shlex(text, posix=False, punctuation_chars=False)
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return text.split()
    return words if " ".join(words) == " ".join(text.split()) else text.split()
