"""Make keys ahead of their use: a run that waits for a host has a processor to spare."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from kubeadm_py.pki.keys import KeyMaker, PrivateKey, generate

_GIVING_WAY = 10
"""How nice its threads are."""


class KeyStock:
    """Hold keys of one algorithm that are made in the background; it is itself a KeyMaker.

    Who asks for more than `count`, or for another algorithm, waits for a key of their own. `close` stops
    making more and drops what is left.
    """

    def __init__(self, algorithm: str, count: int, key_maker: KeyMaker = generate) -> None:
        self._algorithm = algorithm
        self._key_maker = key_maker
        self._pool = ThreadPoolExecutor(
            os.cpu_count() or 1, thread_name_prefix="key-stock", initializer=_give_way
        )
        self._made: queue.SimpleQueue[Future[PrivateKey]] = queue.SimpleQueue()
        for _ in range(count):
            self._made.put(self._pool.submit(key_maker, algorithm))

    def __call__(self, algorithm: str) -> PrivateKey:
        """Return a key that nobody else gets."""
        if algorithm == self._algorithm:
            try:
                made = self._made.get_nowait()
            except queue.Empty:
                return self._key_maker(algorithm)
            # One that is not begun yet is not left to a thread that gives way to everybody.
            if not made.cancel():
                return made.result()
        return self._key_maker(algorithm)

    def close(self) -> None:
        """Stop making keys; those that nobody took are forgotten."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._made = queue.SimpleQueue()


def _give_way() -> None:
    """Let the run's other threads go first, which send to hosts meanwhile."""
    # Only Linux gives threads a priority of their own; elsewhere the number would be some process's.
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _GIVING_WAY)
