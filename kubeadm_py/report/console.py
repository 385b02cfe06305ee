"""Report to a terminal: a board of what is under way, and above it all that is worth keeping."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from kubeadm_py.engine.events import (
    ActionDone,
    Event,
    Failed,
    Found,
    Notice,
    Planned,
    RunDone,
    RunStarted,
    StageDone,
    StageStarted,
)
from kubeadm_py.report import alike, plan_text
from kubeadm_py.report.board import Board
from kubeadm_py.report.closing import closing, heading
from kubeadm_py.report.errors import finding
from kubeadm_py.report.text import Glyphs, advice, between, duration, wrap

_FPS = 8
_MARGIN = 3
"""Lines of the terminal that the board leaves free, so that nothing scrolls away."""


class _Console(Console):
    """Leave the cursor visible: a process that ends at once (a second Ctrl-C) could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:
        del show
        return False


class ConsoleReporter:
    """Show events on a terminal; a context manager, called with each event.

    Colours only underline what symbols and words say. `verbosity` 1 keeps a line of every action that
    changed something, 2 of all.
    """

    def __init__(
        self,
        stream: TextIO,
        glyphs: Glyphs,
        *,
        no_color: bool = False,
        verbosity: int = 0,
        width: int | None = None,
    ) -> None:
        self._console = _Console(
            file=stream,
            no_color=no_color or None,
            width=width,
            force_terminal=True if width else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._glyphs = glyphs
        self._verbosity = verbosity
        self._board = Board(glyphs)
        self._failed: list[Failed] = []
        self._found: list[Found] = []
        """What has come until something that is not of one host does: the same of many is one line."""
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._after_heading = False

    def __enter__(self) -> ConsoleReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._found:
            self._print(self._findings())

    def __call__(self, event: Event) -> None:
        """Show what `event` says."""
        with self._lock:
            kept = self.kept(event)
        # Not under the lock: rich takes its own to print, and asks for the board while it holds that.
        if isinstance(event, StageStarted) and self._live is None:
            self._live = Live(
                self,
                console=self._console,
                refresh_per_second=_FPS,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        if isinstance(event, RunDone):
            self._stop()
        if kept:
            self._print(kept)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the board: rich asks for it at every refresh, from its own thread."""
        with self._lock:
            lines = self._board.lines(options.max_width, max(console.height - _MARGIN, 4))
        for line in lines:
            yield self._coloured(line)

    def kept(self, event: Event) -> list[str]:
        """Take an event and return the lines that stay on the screen by now."""
        if isinstance(event, Found):
            self._found.append(event)
            return []
        lines = [*([] if alike.goes_on(event) else self._findings()), *self._lines(event)]
        self._board.take(event)
        if lines and self._after_heading and not isinstance(event, RunDone):
            lines = ["", *lines]
        self._after_heading = isinstance(event, RunStarted) or (self._after_heading and not lines)
        return lines

    def _lines(self, event: Event) -> list[str]:
        width, glyphs = self._console.width, self._glyphs
        match event:
            case RunStarted():
                return heading(event, width, glyphs)
            case StageDone():
                return self._board.finished(event, width)
            case ActionDone() if self._verbosity > 1 or (self._verbosity and event.changed):
                how = "" if event.changed else "already so: "
                left = f"      {event.host}  {how}{glyphs.text(event.title)}"
                return [between(left, duration(event.seconds), width, glyphs.more)]
            case Notice():
                return self._notice(event, width)
            case Planned():
                return list(plan_text.lines(event, width, glyphs, verbose=self._verbosity > 0))
            case Failed():
                self._failed.append(event)
                return []
            case RunDone():
                return list(closing(event, self._failed, width, glyphs))
            case _:
                return []

    def _findings(self) -> list[str]:
        width, glyphs = self._console.width, self._glyphs
        lines = [
            line
            for hosts, event in alike.findings(self._found)
            for line in finding(event, alike.named(hosts, every=self._verbosity > 0), width, glyphs)
        ]
        self._found.clear()
        return lines

    def _notice(self, event: Notice, width: int) -> list[str]:
        level = "" if event.level == "info" else f"{event.level}  "
        where = f"{event.host}  " if event.host else ""
        indent = f"      {level}{where}"
        lines = wrap(self._glyphs.text(event.text), width, indent, "        ")
        if event.fix:
            lines += advice(self._glyphs.text(event.fix), width, f"        {self._glyphs.arrow} ")
        return lines

    def _print(self, lines: list[str]) -> None:
        # Wrapped already, and a word that is too long must stay in one piece to be copied.
        self._console.print(
            *(self._coloured(line) for line in lines), sep="\n", soft_wrap=True, overflow="ignore", crop=False
        )

    def _coloured(self, line: str) -> Text:
        text = Text(line, no_wrap=True, overflow="ignore")
        glyphs = self._glyphs
        word = line.split(None, 1)[0] if line.strip() else ""
        styles = {
            glyphs.done: "green",
            glyphs.failed: "bold red",
            glyphs.running: "cyan",
            glyphs.waiting: "dim",
            "warning": "yellow",
            "ignored": "dim",
        }
        if word in styles:
            start = line.index(word)
            text.stylize(styles[word], start, start + len(word))
        return text

    def _stop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()
