"""Ask many hosts at once, so that one that fails hides nobody's answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

LIMIT = 16
"""Hosts worked on at the same time, by default."""

T = TypeVar("T")


class Named(Protocol):
    """Have a name; Host and Node do."""

    @property
    def name(self) -> str:
        """Return the name that results are filed under."""


H = TypeVar("H", bound=Named)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """Hold what came of one host: a value, or the error."""

    value: T | None = None
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        """Say whether there is a value."""
        return self.error is None


def fan_out(
    hosts: Iterable[H],
    function: Callable[[H], T],
    limit: int = LIMIT,
    *,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Outcome[T]]:
    """Call `function` for every host, up to `limit` at once; return the outcomes by name in the hosts' order.

    `meanwhile` is called in this thread while they work. A KeyboardInterrupt starts no further host and
    leaves those that are under way behind: a run that changes something handles Ctrl-C itself.
    """
    asked = list(hosts)
    waiting: queue.SimpleQueue[H] = queue.SimpleQueue()
    for host in asked:
        waiting.put(host)
    outcomes: dict[str, Outcome[T]] = {}

    def work() -> None:
        while True:
            try:
                host = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                outcomes[host.name] = Outcome(value=function(host))
            except Exception as error:
                outcomes[host.name] = Outcome(error=error)

    # Daemons: a pool's threads would keep the process from leaving on the second Ctrl-C.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(limit, len(asked)))]
    try:
        for thread in threads:
            thread.start()
        meanwhile()
        _join(threads)
    except KeyboardInterrupt:
        while True:
            try:
                waiting.get_nowait()
            except queue.Empty:
                break
        raise
    return {host.name: outcomes[host.name] for host in asked}


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            # With a timeout, so that a signal is seen everywhere.
            thread.join(0.5)
