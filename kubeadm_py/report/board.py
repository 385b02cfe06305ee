"""Keep what is under way right now, and lay it out as the few lines that a terminal redraws."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from kubeadm_py.engine.events import (
    Event,
    HostDone,
    HostProgress,
    HostStarted,
    StageDone,
    StagesAhead,
    StageStarted,
)
from kubeadm_py.model.words import plural
from kubeadm_py.report.text import Glyphs, between, cut, duration, pad, width_of, wrap

_NAME_MOST = 24
_WORTH_A_LINE = 1.0
"""Seconds from which a stage stays on the screen though it found nothing to change."""
_STAGE_LEAST = 8
_TURN = "waits for its turn"


@dataclass(slots=True)
class _Host:
    message: str = ""
    began: float | None = None
    ended: HostDone | None = None

    @property
    def failed(self) -> bool:
        return self.ended is not None and bool(self.ended.error)

    @property
    def rank(self) -> int:
        """Say how much it is worth seeing where not all can be seen; the least comes first."""
        if self.ended is not None:
            return 0 if self.failed else 3
        return 2 if self.began is None else 1


@dataclass(slots=True)
class _Stage:
    event: StageStarted
    hosts: dict[str, _Host] = field(default_factory=dict)


class Board:
    """Hold the stages that are under way and to come; feed it events, ask it for lines.

    Times are Unix seconds, as in events.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._stages: dict[str, _Stage] = {}
        self._ahead: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Say whether a stage is under way."""
        return bool(self._stages)

    def take(self, event: Event) -> None:
        """Learn from an event."""
        match event:
            case StagesAhead():
                self._ahead = {ahead.stage: ahead.title for ahead in event.stages}
            case StageStarted():
                self._pass(event.stage)
                self._stages[event.stage] = _Stage(event, {name: _Host() for name in event.hosts})
            case HostStarted():
                self._host(event.stage, event.host).began = event.time
            case HostProgress():
                self._host(event.stage, event.host).message = event.message
            case HostDone():
                self._host(event.stage, event.host).ended = event
            case StageDone():
                self._stages.pop(event.stage, None)
            case _:
                return

    def finished(self, event: StageDone, width: int) -> list[str]:
        """Return the lines that stay of a stage; ask before the board takes the event.

        One that had nothing to do, soon knew it and has nothing to tell leaves none.
        """
        stage = self._stages.get(event.stage)
        idle = event.ok and not event.changed and not event.summary
        if idle and event.seconds < _WORTH_A_LINE:
            return []
        text = event.summary or (stage.event.title if stage else "")
        if event.changed:
            text += f" ({event.changed} changed)"
        symbol = self._glyphs.done if event.ok else self._glyphs.failed
        took = duration(event.seconds)
        first, *rest = wrap(self._glyphs.text(text), width - len(took) - 2, self._prefix(symbol, event.stage))
        return [between(first, took, width, self._glyphs.more), *rest]

    def lines(self, width: int, height: int, now: float | None = None) -> list[str]:
        """Return the lines of what is under way and to come, at most `height`, none wider than `width`."""
        now = time.time() if now is None else now
        shown: list[str] = []
        hosts = sum(len(stage.hosts) for stage in self._stages.values())
        coming = self._coming(width, height - len(self._stages) - hosts)
        room = max(height - len(self._stages) - len(coming), len(self._stages))
        for name, stage in self._stages.items():
            took = duration(max(now - stage.event.time, 0.0))
            left = self._prefix(self._glyphs.running, name) + self._glyphs.text(stage.event.title)
            shown.append(between(left, took, width, self._glyphs.more))
            shown += self._host_lines(stage, width, max(room // len(self._stages), 1), now)
        return shown + coming

    def _pass(self, stage: str) -> None:
        """Strike off a stage that begins, and those before it: they had nothing to do."""
        names = list(self._ahead)
        if stage in names:
            for name in names[: names.index(stage) + 1]:
                del self._ahead[name]

    def _coming(self, width: int, most: int) -> list[str]:
        """Return a line a stage to come; what is under way needs the room more."""
        if most < 1:
            return []
        lines = [
            cut(self._prefix(self._glyphs.waiting, name) + self._glyphs.text(title), width, self._glyphs.more)
            for name, title in self._ahead.items()
        ]
        if len(lines) <= most:
            return lines
        rest = plural(len(lines) - most + 1, "more stage")
        return [*lines[: most - 1], cut(f"      and {rest}", width, self._glyphs.more)]

    def _host(self, stage: str, host: str) -> _Host:
        known = self._stages.setdefault(stage, _Stage(StageStarted(stage, "", ())))
        return known.hosts.setdefault(host, _Host())

    def _prefix(self, symbol: str, stage: str) -> str:
        # A long name takes its room only while it is there: most runs end without one.
        widest = max(map(width_of, (stage, *self._stages, *self._ahead)))
        return f"  {symbol} {pad(stage, max(widest, _STAGE_LEAST))}  "

    def _host_lines(self, stage: _Stage, width: int, most: int, now: float) -> list[str]:
        names = min(max((width_of(name) for name in stage.hosts), default=0), _NAME_MOST, width // 4)
        rows = list(stage.hosts.items())
        if len(rows) > most:
            rows.sort(key=lambda row: row[1].rank)
            rows = rows[: most - 1]
        lines = [self._host_line(name, host, names, width, now) for name, host in rows]
        if len(rows) < len(stage.hosts):
            rest = plural(len(stage.hosts) - len(rows), "more host")
            failed = sum(host.failed for host in stage.hosts.values())
            done = sum(host.ended is not None for host in stage.hosts.values()) - failed
            so_far = f"{done} of {len(stage.hosts)} done" + (f", {failed} failed" if failed else "")
            lines.append(cut(f"      and {rest}, {so_far}", width, self._glyphs.more))
        return lines

    def _host_line(self, name: str, host: _Host, names: int, width: int, now: float) -> str:
        glyphs = self._glyphs
        if host.ended is not None:
            symbol = glyphs.failed if host.ended.error else glyphs.done
            text = host.ended.error or (f"{host.ended.changed} changed" if host.ended.changed else "")
            took = duration(host.ended.seconds)
        elif host.began is None and not host.message:
            symbol, text, took = glyphs.waiting, _TURN, ""
        else:
            symbol, text = glyphs.running, host.message
            took = "" if host.began is None else duration(max(now - host.began, 0.0))
        flat = " ".join(glyphs.text(text).split())
        left = f"    {symbol} {pad(cut(name, names, glyphs.more), names)}  {flat}"
        return between(left, took, width, glyphs.more)
