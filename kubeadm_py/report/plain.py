"""Report to a pipe or a dumb terminal: one line an event, no colour, no redraw."""

from __future__ import annotations

import time
from typing import TextIO

from kubeadm_py.engine.events import (
    ActionDone,
    Event,
    Failed,
    Found,
    HostDone,
    HostProgress,
    Notice,
    Planned,
    RunDone,
    RunStarted,
    StageDone,
    StageStarted,
)
from kubeadm_py.model.words import plural
from kubeadm_py.report import alike, plan_text
from kubeadm_py.report.closing import closing, heading
from kubeadm_py.report.text import Glyphs, duration, pad, wrap

_NAME_MOST = 16


class PlainReporter:
    """Write `14:03:22 cp2 control  etcd member started` and the like; call it with each event.

    Nothing is wrapped unless there is a `width`. `verbosity` 1 adds every action with its time.
    """

    def __init__(self, stream: TextIO, glyphs: Glyphs, verbosity: int = 0, width: int | None = None) -> None:
        self._stream = stream
        self._width = width
        self._glyphs = glyphs
        self._verbosity = verbosity
        self._failed: list[Failed] = []
        self._found: list[Found] = []
        """What has come until something that is not of one host does: the same of many is one line."""
        self._last: dict[str, str] = {}
        self._names = 0

    def __call__(self, event: Event) -> None:
        """Write what `event` says."""
        if isinstance(event, Found):
            self._found.append(event)
            return
        if not alike.goes_on(event):
            self._findings()
        match event:
            case RunStarted():
                self._names = min(max((len(host.name) for host in event.hosts), default=0), _NAME_MOST)
                self._lines(heading(event, self._width, self._glyphs))
            case StageStarted():
                self._line(event, "", event.stage, f"{event.title} ({plural(len(event.hosts), 'host')})")
            case HostProgress():
                if self._last.get(event.host) != event.message:
                    self._last[event.host] = event.message
                    self._line(event, event.host, event.stage, event.message)
            case ActionDone() if self._verbosity:
                how = "changed" if event.changed else "already so"
                self._line(event, event.host, event.stage, f"{event.title}: {how}, {duration(event.seconds)}")
            case HostDone():
                self._last.pop(event.host, None)
                self._line(event, event.host, event.stage, _ended(event))
            case StageDone():
                how = "done" if event.ok else "failed"
                summary = f"{event.summary}; " if event.summary else ""
                self._line(event, "", event.stage, f"{summary}{how} in {duration(event.seconds)}")
            case Notice():
                fix = f" {self._glyphs.arrow} {event.fix}" if event.fix else ""
                level = "" if event.level == "info" else f"{event.level}: "
                self._line(event, event.host, "", f"{level}{event.text}{fix}")
            case Planned():
                shown = plan_text.lines(event, self._width, self._glyphs, verbose=self._verbosity > 0)
                self._lines(["", *shown])
            case Failed():
                self._failed.append(event)
            case RunDone():
                self._lines(list(closing(event, self._failed, self._width, self._glyphs)))
            case _:
                return

    def _findings(self) -> None:
        for hosts, event in alike.findings(self._found):
            level = "ignored" if event.ignored else event.severity
            fix = f" {self._glyphs.arrow} {event.fix}" if event.fix and not event.ignored else ""
            where = alike.named(hosts, every=self._verbosity > 0)
            self._line(event, where, "", f"{level}: {event.check}: {event.found}{fix}")
        self._found.clear()

    def _line(self, event: Event, host: str, stage: str, text: str) -> None:
        clock = time.strftime("%H:%M:%S", time.localtime(event.time))
        words = [clock, pad(host, self._names), stage]
        flat = " ".join(self._glyphs.text(text).split())
        start = " ".join(word for word in words if word.strip()) + "  "
        self._lines(wrap(flat, self._width, start, " " * 9))

    def _lines(self, lines: list[str]) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()


def _ended(event: HostDone) -> str:
    if event.error:
        return f"failed after {duration(event.seconds)}: {event.error}"
    changed = f"{event.changed} changed" if event.changed else "nothing changed"
    return f"done in {duration(event.seconds)}, {changed}"
