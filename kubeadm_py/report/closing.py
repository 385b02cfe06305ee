"""End a run's report: the verdict, where the time went, what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubeadm_py.engine.events import Failed, RunDone, RunHost, RunStarted
from kubeadm_py.errors import ExitCode
from kubeadm_py.model.words import plural
from kubeadm_py.report.errors import failures, with_note
from kubeadm_py.report.text import Glyphs, command, duration, wrap
from kubeadm_py.report.timing import slowest, table

_GOOD = (ExitCode.DONE, ExitCode.CHANGES)
_TELLING = 1.0
"""Seconds from which a host's part is worth naming as the slowest."""
_WORTH_A_TABLE = 10.0
"""Seconds from which it is worth telling where the time of a run went that changed nothing."""


def heading(event: RunStarted, width: int | None, glyphs: Glyphs) -> list[str]:
    """Return the run's first line: cluster, version, hosts, source."""
    parts = [event.cluster, f"Kubernetes {event.version}" if event.version else "", _roles(event.hosts)]
    shown = [glyphs.text(part) for part in (*parts, event.source) if part]
    return wrap(f" {glyphs.dot} ".join(shown), width, "", "  ")


def closing(event: RunDone, failed: Sequence[Failed], width: int | None, glyphs: Glyphs) -> Iterator[str]:
    """Yield the run's last lines."""
    yield ""
    if event.exit_code in _GOOD:
        note = duration(event.seconds)
        if event.exit_code:
            note += f"  (exit {event.exit_code})"
        text = f"{glyphs.done} {glyphs.text(event.verdict)}"
        yield from with_note(wrap(text, width, "", "  "), note, width)
    else:
        yield from failures(event.verdict, failed, event.exit_code, width, glyphs)
    yield from _timing(event, width)
    if event.next:
        yield ""
        for line in event.next:
            yield from command(glyphs.text(line), width, "  ")


def _timing(event: RunDone, width: int | None) -> Iterator[str]:
    if not event.changed and event.seconds < _WORTH_A_TABLE:
        return
    lines = table(event.timings, width, event.hosts)
    if not lines:
        return
    yield ""
    yield from lines
    longest = slowest(event.timings)
    if longest is not None and longest.seconds >= _TELLING and len({one.host for one in event.timings}) > 1:
        text = f"slowest: {longest.host}, {duration(longest.seconds)} in {longest.stage}"
        yield from wrap(text, width, "  ")


def _roles(hosts: Sequence[RunHost]) -> str:
    names = {"control-plane": "control plane", "worker": "worker", "etcd": "etcd host"}
    counts: dict[str, int] = {}
    for host in hosts:
        counts[host.role] = counts.get(host.role, 0) + 1
    return ", ".join(plural(count, names.get(role, role)) for role, count in counts.items())
