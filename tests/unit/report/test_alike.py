"""What is the same on many hosts is said once, with the hosts; what differs keeps its place."""

import io

import pytest

from kubeadm_py.engine.events import Failed, Found, HostDone, HostStarted, Notice
from kubeadm_py.report import alike
from kubeadm_py.report.console import ConsoleReporter
from kubeadm_py.report.plain import PlainReporter
from kubeadm_py.report.text import UNICODE


def swap(host, time=1.0, **fields):
    return Found("Swap", "warning", host, "is on", time=time, **fields)


def test_findings_differ_by_all_but_their_host_and_time():
    ignored, other = swap("w1", ignored=True), Found("Mem", "warning", "w1", "is on")
    found = [swap("w1"), ignored, swap("w2", time=2.0), other, swap("w1", time=3.0)]
    assert alike.findings(found) == [(("w1", "w2"), swap("w1")), (("w1",), ignored), (("w1",), other)]
    assert alike.findings([]) == []


def test_failures_differ_by_all_but_their_host_and_time():
    lost = [Failed("no such key", host, fix="name one", exit_code=2, time=1.0) for host in "abcd"]
    found = alike.failures([*lost, Failed("gone", "e")])
    assert [(event.host, event.summary, event.fix) for event in found] == [
        ("a, b and 2 more", "no such key", "name one"),
        ("e", "gone", ""),
    ]


@pytest.mark.parametrize(("count", "told"), [(3, ["n0", "n1", "n2"]), (60, ["n0"])])
def test_of_many_hosts_that_cannot_be_reached_one_is_told_in_full(count, told):
    lost = [
        Failed(f"cannot connect to 10.0.0.{n} port 22: refused", f"n{n}", fix=f"ssh 10.0.0.{n}", exit_code=7)
        for n in range(count)
    ]
    other = Failed("connection lost", "n99", exit_code=7)
    bad = Failed("exit code 3", "n98", exit_code=1)
    found = alike.failures([*lost, other, bad])
    assert [event.host for event in found] == [*told, "n99", "n98"]
    if count > 3:
        assert found[0].fix == "ssh 10.0.0.0"
        [line] = found[0].details
        assert line.startswith("likewise: n1, n2, n3, ")
        assert line.endswith(", n59")


@pytest.mark.parametrize(
    ("hosts", "shown", "every"),
    [
        ((), "", ""),
        (("a",), "a", "a"),
        (("a", "b", "c"), "a, b, c", "a, b, c"),
        (("a", "b", "c", "d"), "a, b and 2 more", "a, b, c, d"),
    ],
)
def test_names_of_hosts(hosts, shown, every):
    assert (alike.named(hosts), alike.named(hosts, every=True)) == (shown, every)


class TestDisplays:
    """Findings come one by one, as events; a display waits for what is no finding."""

    def test_a_pipe(self):
        stream = io.StringIO()
        reporter = PlainReporter(stream, UNICODE)
        for host in ("w1", "w2"):
            reporter(swap(host))
        assert stream.getvalue() == ""
        reporter(Notice("info", "and now"))
        reporter(swap("w3"))
        reporter(Notice("info", "the end"))
        lines = [line.partition("  ")[2] or line for line in stream.getvalue().splitlines()]
        assert lines == ["warning: Swap: is on", "and now", "warning: Swap: is on", "the end"]
        assert "w1, w2  " in stream.getvalue()

    @pytest.mark.parametrize("kind", [PlainReporter, ConsoleReporter])
    def test_hosts_that_are_judged_one_by_one(self, kind):
        """A later gate judges each host when it is prepared; what they do meanwhile ends no row."""
        stream = io.StringIO()
        reporter = kind(stream, UNICODE)
        for host in ("w1", "w2"):
            reporter(HostDone("prepare", host, 1.0))
            reporter(swap(host))
            reporter(HostStarted("join", host))
        reporter(Notice("info", "the end"))
        assert stream.getvalue().count("Swap: is on") == 1
        assert "w1, w2  " in stream.getvalue()

    def test_a_terminal_that_is_left_in_between_keeps_them(self):
        stream = io.StringIO()
        with ConsoleReporter(stream, UNICODE, no_color=True, width=80) as reporter:
            for host in ("w1", "w2"):
                reporter(swap(host))
        assert "warning  w1, w2  Swap: is on" in stream.getvalue()

    @pytest.mark.parametrize(("verbosity", "shown"), [(0, "n0, n1 and 8 more"), (1, "n0, n1, n2, n3, n4")])
    def test_every_name_is_shown_to_who_wants_more(self, verbosity, shown):
        stream = io.StringIO()
        with ConsoleReporter(stream, UNICODE, no_color=True, width=80, verbosity=verbosity) as reporter:
            for number in range(10):
                reporter(swap(f"n{number}"))
        assert shown in stream.getvalue()
