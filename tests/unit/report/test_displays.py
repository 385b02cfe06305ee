"""What people see, compared with files; and what must hold at every width."""

import io
import json
import re
import subprocess
import sys
import time

import pytest
from rich.cells import cell_len

from kubeadm_py.engine.events import (
    EventBus,
    HostDone,
    HostProgress,
    HostStarted,
    StageAhead,
    StageDone,
    StagesAhead,
    StageStarted,
)
from kubeadm_py.report import open_reporter
from kubeadm_py.report.board import Board
from kubeadm_py.report.console import ConsoleReporter
from kubeadm_py.report.plain import PlainReporter
from kubeadm_py.report.text import ASCII, UNICODE

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def kept(events, width, glyphs, verbosity=0):
    """Return what stays on the screen: all that is printed above the board."""
    stream = io.StringIO()
    with ConsoleReporter(stream, glyphs, no_color=True, verbosity=verbosity, width=width) as reporter:
        lines = []
        for event in events:
            lines += reporter.kept(event)
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_terminal(run, width, golden):
    name, events = run
    golden(f"{name}-{width}", kept(events, width, UNICODE))


def test_ascii(run, golden):
    name, events = run
    text = kept(events, 80, ASCII)
    assert text.isascii()
    golden(f"{name}-ascii", text)


def test_pipe(run, golden):
    name, events = run
    stream = io.StringIO()
    reporter = PlainReporter(stream, UNICODE)
    for event in events:
        reporter(event)
    golden(f"{name}-pipe", stream.getvalue())


@pytest.mark.parametrize("width", [40, 60, 61, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal_but_for_a_single_word(run, width):
    for line in kept(run[1], width, UNICODE, verbosity=2).splitlines():
        assert cell_len(line) <= width or len(line.strip(" \\→").split()) == 1, line


@pytest.mark.parametrize("width", [40, 60, 80])
def test_commands_can_be_copied_at_any_width(runs, width):
    text = kept(runs["done"], width, UNICODE)
    joined = re.sub(r" \\\n\s+", " ", text)
    for command in runs["done"][-1].next:
        assert f"  {command}\n" in joined
    joined = re.sub(r" \\\n\s+", " ", kept(runs["failed"], width, UNICODE))
    assert (
        "kubeadm-py reset --config cluster.yaml --host w1 && kubeadm-py apply --config cluster.yaml\n"
        in joined
    )
    assert "systemctl enable --now systemd-timesyncd.service\n" in joined


def test_nothing_from_a_host_steers_the_terminal(run):
    for width in (60, None):
        stream = io.StringIO()
        reporter = PlainReporter(stream, UNICODE, width=width)
        for event in run[1]:
            reporter(event)
        assert "\x1b" not in stream.getvalue()
        assert "\x07" not in stream.getvalue()
    assert "\x1b" not in kept(run[1], 80, UNICODE)


def test_verbosity_keeps_actions(runs):
    quiet, changed, all_ = (kept(runs["done"], 80, UNICODE, verbosity) for verbosity in (0, 1, 2))
    assert "write 12 files" not in quiet
    assert "write 12 files" in changed
    assert "already so" not in changed
    assert "already so: containerd started" in all_
    stream = io.StringIO()
    reporter = PlainReporter(stream, ASCII, verbosity=1)
    for event in runs["done"]:
        reporter(event)
    assert "write 12 files: changed, 0.2s" in stream.getvalue()


class TestBoard:
    def board(self, hosts):
        board = Board(UNICODE)
        board.take(StageStarted("control", "static pods", tuple(hosts), time=100))
        return board

    def test_it_shows_who_does_what(self, golden):
        board = self.board(["cp1", "cp2", "cp3", "w1"])
        for event in (
            HostStarted("control", "cp1", time=100),
            HostStarted("control", "cp2", time=101),
            HostStarted("control", "cp3", time=101),
            HostProgress("control", "cp1", "waiting for /readyz (2 of 3 checks pass: etcd, informer-sync)"),
            HostDone("control", "cp2", 3.0, 7),
            HostDone("control", "cp3", 2.0, 0, "etcd cannot start"),
        ):
            board.take(event)
        golden("board-60", "\n".join(board.lines(60, 20, now=104)) + "\n")
        golden("board-140", "\n".join(board.lines(140, 20, now=104)) + "\n")

    @pytest.mark.parametrize("width", [60, 80, 140])
    def test_it_shows_what_is_still_to_come(self, golden, width):
        """As ux.md sketches it: what is done stays above the board, what comes stands dim below."""
        board = Board(UNICODE)
        board.take(
            StagesAhead(
                (
                    StageAhead("prepare", "runtime, kubelet, images"),
                    StageAhead("control", "control plane, add-ons: flannel, local-path-storage, metallb"),
                    StageAhead("ready-for-work", "labels"),
                )
            )
        )
        shown = [board.lines(width, 20, now=100)]
        board.take(StageStarted("look", "reach and probe", ("cp1",), time=100))
        board.take(HostStarted("look", "cp1", time=100))
        shown.append(board.lines(width, 20, now=101))
        board.take(StageDone("look", 1.4))
        shown.append(board.lines(width, 20, now=102))
        board.take(StageStarted("prepare", "runtime, kubelet, images", ("cp1",), time=102))
        shown.append(board.lines(width, 20, now=103))
        assert all(cell_len(line) <= width for lines in shown for line in lines)
        golden(f"ahead-{width}", "\n\n".join("\n".join(lines) for lines in shown) + "\n")

    def test_a_stage_without_work_is_not_awaited_for_ever(self):
        board = Board(UNICODE)
        ahead = tuple(StageAhead(name, name) for name in ("prepare", "join", "ready"))
        board.take(StagesAhead(ahead))
        board.take(StageStarted("join", "join", ("w1",), time=100))
        assert not any("prepare" in line for line in board.lines(80, 20, now=101))
        board.take(StageStarted("something else", "beside the plan", ("w1",), time=100))
        assert sum("ready" in line for line in board.lines(80, 20, now=101)) == 1

    def test_what_is_to_come_leaves_room_for_what_is_under_way(self):
        board = self.board([f"cp{number}" for number in range(5)])
        board.take(StagesAhead(tuple(StageAhead(f"s{number}", "later") for number in range(9))))
        for height in range(4, 20):
            lines = board.lines(80, height, now=101)
            assert len(lines) <= height
            assert "control" in lines[0]
            assert sum("cp" in line for line in lines) >= min(5, height // 2 - 1), lines
        assert sum("later" in line for line in board.lines(80, 15, now=101)) == 9
        assert "      and 7 more stages" in board.lines(80, 9, now=101)

    def test_it_fits_the_terminal_with_many_hosts(self):
        hosts = [f"node-{number}" for number in range(200)]
        board = self.board(hosts)
        for name in hosts[:150]:
            board.take(HostDone("control", name, 1.0, 0, "broken" if name == "node-77" else ""))
        board.take(StageStarted("other", "beside it", ("w1", "w2"), time=100))
        lines = board.lines(80, 20, now=101)
        assert len(lines) <= 20
        assert any("node-77" in line and "broken" in line for line in lines)
        assert "      and 192 more hosts, 149 of 200 done, 1 failed" in lines
        assert all(cell_len(line) <= 80 for line in lines)

    def test_a_failure_is_seen_before_those_that_are_at_work(self):
        names = [f"node-{number}" for number in range(100)]
        board = self.board(names)
        for name in names:
            board.take(HostStarted("control", name, time=100))
        board.take(HostDone("control", "node-90", 1.0, 0, "broken"))
        first, second, *_ = board.lines(80, 10, now=101)[1:]
        assert "node-90" in first
        assert "broken" in first
        assert "node-0 " in second

    def test_hosts_that_were_not_announced_appear(self):
        board = Board(ASCII)
        board.take(HostProgress("late", "w9", "busy", time=5))
        assert board.busy
        assert any("w9" in line and "busy" in line for line in board.lines(80, 10, now=6))


class Terminal(io.StringIO):
    """Be a terminal as far as isatty goes."""

    encoding = "utf-8"

    def isatty(self):
        return True


class TestOpenReporter:
    def show(self, runs, name="done", stream=None, **options):
        stream = Terminal() if stream is None else stream
        with open_reporter("text", stream=stream, **options) as subscriber:
            bus = EventBus()
            bus.subscribe(subscriber)
            for event in runs[name]:
                bus.emit(event)
        assert bus.failures == []
        return stream.getvalue()

    @pytest.fixture(autouse=True)
    def terminal(self, monkeypatch):
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("LINES", "40")
        monkeypatch.delenv("NO_COLOR", raising=False)

    def test_a_terminal_gets_a_board_and_colours_that_only_underline(self, runs):
        shown = self.show(runs)
        assert "\x1b[32m✓" in shown
        assert "\x1b[2K" in shown
        assert "demo is up" in _STEERING.sub("", shown)

    @pytest.mark.parametrize("how", ["flag", "environment"])
    def test_without_colour_nothing_is_lost(self, runs, how, monkeypatch):
        coloured = self.show(runs, "failed")
        if how == "environment":
            monkeypatch.setenv("NO_COLOR", "1")
        plain = self.show(runs, "failed", no_color=how == "flag")
        assert "\x1b[32m" not in plain
        assert "\x1b[1;31m" not in plain
        final = [_STEERING.sub("", text).splitlines()[-12:] for text in (plain, coloured)]
        assert final[0] == final[1]

    def test_a_dumb_terminal_gets_plain_ascii_lines_that_fit(self, runs, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")
        shown = self.show(runs)
        assert "\x1b" not in shown
        assert shown.isascii()
        assert all(len(line) <= 80 or len(line.split()) == 1 for line in shown.splitlines())

    def test_a_terminal_that_is_not_utf8_gets_ascii(self, runs):
        stream = Terminal()
        stream.encoding = "ISO-8859-1"
        assert _STEERING.sub("", self.show(runs, stream=stream)).isascii()

    def test_a_pipe_gets_one_line_an_event(self, runs):
        stream = io.StringIO()
        assert "prepare  containerd\n" in self.show(runs, stream=stream)

    def test_the_terminal_is_as_before_however_the_run_ends(self, runs):
        stream = Terminal()

        def break_off():
            with open_reporter("text", stream=stream) as subscriber:
                for event in runs["done"][:3]:
                    subscriber(event)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            break_off()
        # A second Ctrl-C leaves without any clean-up, so the cursor must never be hidden.
        assert "\x1b[?25l" not in stream.getvalue()
        assert "\x1b[?1049h" not in stream.getvalue()


class TestJSON:
    def lines(self, events):
        stream = io.StringIO()
        with open_reporter("json", stream=stream) as subscriber:
            for event in events:
                subscriber(event)
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    def test_one_event_a_line_and_then_the_report(self, runs):
        *events, report = self.lines(runs["failed"])
        assert [line["type"] for line in events] == [event.type for event in runs["failed"]]
        assert report["type"] == "report"
        assert (report["verb"], report["cluster"], report["exit_code"]) == ("apply", "demo", 1)
        assert report["hosts"][0] == {"name": "cp1", "role": "control-plane"}
        assert [stage["stage"] for stage in report["stages"]] == ["look", "prepare"]
        assert report["stages"][1]["ok"] is False
        assert report["stages"][1]["hosts"][1]["error"] == "containerd does not start: exit 1"
        assert report["findings"][0]["check"] == "ClockSkew"
        assert report["notices"][1]["level"] == "warning"
        assert report["failures"][0]["fix"].startswith("look: ")
        assert report["causes"][0]["exit_code"] == 1
        assert report["timings"][0] == {"stage": "look", "host": "cp1", "seconds": 0.9}

    def test_every_line_has_type_and_time(self, run):
        for line in self.lines(run[1])[:-1]:
            assert list(line)[:2] == ["type", "time"]


def test_help_needs_no_rich():
    heavy = "{'rich', 'fabric', 'paramiko'}"
    code = f"import sys, kubeadm_py.report, kubeadm_py.transport.connect; print({heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"set()\n"
