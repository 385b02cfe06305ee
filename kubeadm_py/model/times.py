"""Read and write times as Kubernetes does: RFC 3339, and short durations in tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def rfc3339(moment: datetime) -> str:
    """Return a time in UTC and whole seconds: `2026-11-21T00:41:14Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Read a time; without an offset it is UTC. Raise ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def short_duration(duration: timedelta) -> str:
    """Return a duration as kubectl's tables show it, in its largest unit: `23h`, `<invalid>` when past."""
    seconds = int(duration.total_seconds())
    if seconds < -1:
        return "<invalid>"
    for unit, size, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86400), ("d", 86400, 86400 * 365)):
        if seconds < limit:
            return f"{max(seconds, 0) // size}{unit}"
    return f"{seconds // (86400 * 365)}y"


def go_duration(duration: timedelta) -> str:
    """Write a duration as Go prints it: `8760h0m0s`, `1m30s`, `0s`."""
    seconds = duration.total_seconds()
    if seconds < 0:
        return "-" + go_duration(-duration)
    minutes, rest = divmod(duration // timedelta(microseconds=1), 60_000_000)
    hours, minutes = divmod(minutes, 60)
    if 0 < seconds < 1:
        return f"{rest / 1000:g}ms"
    text = f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
