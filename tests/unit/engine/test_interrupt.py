"""Ctrl-C: the first is orderly, the second is at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from kubeadm_py.engine.interrupt import Interrupt, InterruptedRunError

TWICE = """
import os, signal, sys
from kubeadm_py.engine.interrupt import Interrupt
interrupt = Interrupt()
with interrupt.handling():
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", flush=True)
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    print("never", flush=True)
"""


def test_nothing_was_asked():
    Interrupt().check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_remembered_and_told(number):
    interrupt = Interrupt()
    told = threading.Event()
    interrupt.on_stop(told.set)
    before = signal.getsignal(number)
    with interrupt.handling():
        assert not interrupt.asked
        os.kill(os.getpid(), number)
        assert interrupt.asked
        assert told.wait(10)
        with pytest.raises(InterruptedRunError) as caught:
            interrupt.check()
    assert caught.value.exit_code == 130
    assert signal.getsignal(number) is before, "whoever handled signals before does again"


def test_handlers_are_put_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Interrupt().handling():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_a_listener_that_hangs_holds_nobody_up():
    interrupt = Interrupt()
    release, second = threading.Event(), threading.Event()
    interrupt.on_stop(lambda: release.wait(10))
    interrupt.on_stop(second.set)
    interrupt._stop(signal.SIGINT, None)
    assert second.wait(10)
    release.set()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_the_second_one_leaves_at_once(number):
    ended = subprocess.run(
        [sys.executable, "-c", TWICE, number], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (130, "still here\n")


def test_other_threads_cannot_handle_signals_and_need_not():
    seen = []

    def work() -> None:
        with Interrupt().handling() as interrupt:
            seen.append(interrupt.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == [False]


class TestATerminalThatCloses:
    @pytest.mark.usefixtures("heard_hangups")
    def test_asks_for_a_stop_however_often_it_says_so(self):
        interrupt = Interrupt()
        before = signal.getsignal(signal.SIGHUP)
        with interrupt.handling():
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
            assert interrupt.asked
        assert signal.getsignal(signal.SIGHUP) is before

    def test_is_nobodys_matter_under_nohup(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            interrupt = Interrupt()
            with interrupt.handling():
                signal.raise_signal(signal.SIGHUP)
                assert not interrupt.asked
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)
