"""Collect what a running script prints."""

from __future__ import annotations

from collections.abc import Callable


class Output:
    """Gather standard output and error of one script.

    What comes on standard error before the marker of the script's envelope is not the script's: it is kept
    in `preface` (a login shell's or sudo's own words). `on_line` sees each line of standard output.
    """

    def __init__(self, marker: bytes, on_line: Callable[[str], None] | None = None) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.preface = bytearray()
        self.started = False
        self._marker = marker
        self._on_line = on_line
        self._line_start = 0

    def add_stdout(self, data: bytes) -> None:
        """Take bytes from standard output."""
        searched = len(self.stdout)
        self.stdout += data
        if self._on_line is None:
            return
        while (end := self.stdout.find(b"\n", searched)) >= 0:
            line = self.stdout[self._line_start : end]
            self._line_start = searched = end + 1
            self._on_line(line.decode(errors="replace"))

    def add_stderr(self, data: bytes) -> None:
        """Take bytes from standard error."""
        if self.started:
            self.stderr += data
            return
        self.preface += data
        at = self.preface.find(self._marker)
        if at >= 0:
            self.started = True
            self.stderr += self.preface[at + len(self._marker) :]
            del self.preface[at:]

    def end(self) -> None:
        """Hand over a last line that lacks its newline."""
        if self._on_line is not None and self._line_start < len(self.stdout):
            line = self.stdout[self._line_start :]
            self._line_start = len(self.stdout)
            self._on_line(line.decode(errors="replace"))

    def before_line(self, line: str) -> bytes | None:
        """Return what was printed before the first line that reads `line`; None while it is not there."""
        wanted = line.encode()
        position = 0
        while (end := self.stdout.find(b"\n", position)) >= 0:
            if self.stdout[position:end] == wanted:
                return bytes(self.stdout[:position])
            position = end + 1
        return None

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines of standard error, for an error's details.

        Standard output is what a script was asked for: the keys that a run reads, or admin.conf.
        """
        text = bytes(self.stderr).decode(errors="replace")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-5:]

    def words_before(self) -> tuple[str, ...]:
        """Return the last lines said where the script never started, for an error's details."""
        text = (bytes(self.stdout) + bytes(self.preface)).decode(errors="replace")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-5:]
