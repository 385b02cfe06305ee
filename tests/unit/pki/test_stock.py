"""Keys are made ahead, by threads that give way, and nobody waits for one that is not begun."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from kubeadm_py.pki.stock import KeyStock

ALGORITHM = "ECDSA-P256"


@pytest.fixture
def stocks():
    opened: list[KeyStock] = []
    gate = threading.Event()

    def stock(count, maker):
        opened.append(KeyStock(ALGORITHM, count, maker))
        return opened[-1]

    stock.gate = gate
    yield stock
    gate.set()
    for each in opened:
        each.close()


def test_nobody_gets_a_key_twice(stocks):
    stock = stocks(3, lambda _: object())
    keys = [stock(ALGORITHM) for _ in range(5)]
    assert len(set(map(id, keys))) == 5


def test_another_algorithm_is_made_for_who_asks(stocks):
    assert stocks(1, lambda algorithm: algorithm)("RSA-2048") == "RSA-2048"


def test_who_asks_makes_a_key_that_is_not_begun(stocks):
    """Threads that give way may get no processor at all."""
    threads = os.cpu_count() or 1
    begun = threading.Semaphore(0)

    def maker(_: str) -> str:
        if threading.current_thread() is threading.main_thread():
            return "own"
        begun.release()
        stocks.gate.wait(30)
        return "stock"

    stock = stocks(threads + 2, maker)
    for _ in range(threads):
        assert begun.acquire(timeout=30)
    for _ in range(threads):
        # Those that are begun come first, and are waited for.
        stock._made.put(stock._made.get_nowait())
    assert [stock(ALGORITHM), stock(ALGORITHM)] == ["own", "own"]
    stocks.gate.set()
    assert stock(ALGORITHM) == "stock"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads a priority of their own")
def test_it_gives_way_to_the_rest_of_the_run(stocks):
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    nice = stocks(1, lambda _: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert nice._made.get().result(30) > mine
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine


def test_a_closed_stock_still_makes_keys_for_who_asks(stocks):
    stock = stocks(50, lambda _: object())
    stock.close()
    assert stock(ALGORITHM) is not stock(ALGORITHM)
