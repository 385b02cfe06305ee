"""Put findings that are the same on several hosts together: a hundred hosts say it once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from kubeadm_py.engine.events import (
    ActionDone,
    Event,
    Failed,
    Found,
    HostDone,
    HostProgress,
    HostStarted,
    ImagePulled,
)
from kubeadm_py.errors import ExitCode

_NAMED = 3
"""Hosts that are named in one place; of more only the first two are."""

T = TypeVar("T", bound=Hashable)


def grouped(each: Iterable[tuple[str, T]]) -> list[tuple[tuple[str, ...], T]]:
    """Return what there is, once, with all hosts that it is of; in the order in which it came."""
    hosts: dict[T, dict[str, None]] = {}
    for host, what in each:
        hosts.setdefault(what, {})[host] = None
    return [(tuple(names), what) for what, names in hosts.items()]


def goes_on(event: Event) -> bool:
    """Say whether findings still wait for the same of other hosts at an event: it is of one host alone."""
    return isinstance(event, HostStarted | HostProgress | ActionDone | ImagePulled | HostDone)


def findings(found: Iterable[Found]) -> list[tuple[tuple[str, ...], Found]]:
    """Return findings that differ only in their host once, with the time of the first."""
    events = list(found)
    first = {replace(event, host="", time=0.0): event for event in reversed(events)}
    pairs = ((event.host, replace(event, host="", time=0.0)) for event in events)
    return [(hosts, first[key]) for hosts, key in grouped(pairs)]


def failures(failed: Iterable[Failed]) -> list[Failed]:
    """Return failures that differ only in their host once, with the hosts' names in its place.

    Of many hosts that cannot be reached in the same way one is told in full, with the others' names.
    """
    pairs = ((event.host, replace(event, host="", time=0.0)) for event in failed)
    apart = [replace(event, host=named(hosts)) for hosts, event in grouped(pairs)]
    shapes: dict[object, list[Failed]] = {}
    for event in apart:
        silent = event.exit_code == ExitCode.UNREACHABLE and event.host
        shapes.setdefault(_shape(event.summary) if silent else id(event), []).append(event)
    return [told for events in shapes.values() for told in _likewise(events)]


def _shape(text: str) -> tuple[str, ...]:
    """Return the words that are no number, address or port."""
    return tuple(word for word in text.split() if not any(letter.isdigit() for letter in word))


def _likewise(events: Sequence[Failed]) -> list[Failed]:
    if len(events) <= _NAMED:
        return list(events)
    first, *others = events
    return [
        replace(first, details=(*first.details, f"likewise: {', '.join(event.host for event in others)}"))
    ]


def named(hosts: Sequence[str], *, every: bool = False) -> str:
    """Return the names of hosts as a few words; `every` leaves none out."""
    if every or len(hosts) <= _NAMED:
        return ", ".join(hosts)
    shown = _NAMED - 1
    return f"{', '.join(hosts[:shown])} and {len(hosts) - shown} more"
