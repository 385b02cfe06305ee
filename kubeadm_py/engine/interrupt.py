"""Turn Ctrl-C into an orderly stop: the first ends the run after the running actions, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from kubeadm_py.errors import ExitCode, KubeadmPyError


class InterruptedRunError(KubeadmPyError):
    """Report that a person stopped the run."""

    exit_code = ExitCode.INTERRUPTED


def stopped() -> InterruptedRunError:
    """Return what is said of a run that was stopped between two stages."""
    return InterruptedRunError(
        "stopped by Ctrl-C; nothing new was begun",
        fix="run the same command again: it goes on where it stopped",
    )


class Interrupt:
    """Remember that a person asked to stop, and tell whoever has to know."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Say whether a stop was asked for."""
        return self._asked.is_set()

    def on_stop(self, listener: Callable[[], None]) -> None:
        """Call `listener` in a thread of its own when a stop is asked for."""
        self._listeners.append(listener)

    def check(self) -> None:
        """Raise InterruptedRunError if a stop was asked for: call it before anything new begins."""
        if self.asked:
            raise stopped()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            # A terminal that closes says so several times: the kernel to all, and each shell to its jobs.
            if number == signal.SIGHUP:
                return
            os._exit(ExitCode.INTERRUPTED)
        self._asked.set()
        for listener in self._listeners:
            threading.Thread(target=listener, daemon=True).start()

    @contextmanager
    def handling(self) -> Iterator[Interrupt]:
        """Handle what asks a run to stop, for its time; only in the main thread, elsewhere a no-op.

        A terminal that closes (SIGHUP) asks for it too, unless somebody saw to it that it does not (nohup).
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        previous = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
