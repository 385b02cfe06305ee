import threading

import pytest

from kubeadm_py.errors import UnreachableError
from kubeadm_py.transport import fanout
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.transport.fanout import Outcome, fan_out


def hosts(count):
    return [FakeHost(f"n{number}") for number in range(count)]


def test_results_come_by_name_in_order_and_one_failure_hides_nobody():
    def ask(host):
        if host.name == "n1":
            raise UnreachableError("gone", host=host.name)
        return host.name.upper()

    outcomes = fan_out(hosts(3), ask)
    assert list(outcomes) == ["n0", "n1", "n2"]
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
    assert outcomes["n2"].value == "N2"
    assert isinstance(outcomes["n1"].error, UnreachableError)


def test_no_hosts():
    assert fan_out([], lambda host: None) == {}


def test_none_is_a_value():
    assert fan_out(hosts(1), lambda host: None) == {"n0": Outcome()}


def test_no_more_than_the_limit_at_once():
    lock, now, most = threading.Lock(), 0, 0
    gate = threading.Barrier(3)

    def work(host):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(20)
        with lock:
            now -= 1

    assert all(outcome.ok for outcome in fan_out(hosts(9), work, limit=3).values())
    assert most == 3


def test_an_interrupt_starts_nobody_else_and_waits_for_nobody(monkeypatch):
    started, finish = [], threading.Event()

    def work(host):
        started.append(host.name)
        finish.wait(20)

    def join(_threads):
        while len(started) < 2:
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(fanout, "_join", join)
    try:
        with pytest.raises(KeyboardInterrupt):
            fan_out(hosts(6), work, limit=2)
        assert len(started) == 2
    finally:
        finish.set()
