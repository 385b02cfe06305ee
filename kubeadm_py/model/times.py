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
