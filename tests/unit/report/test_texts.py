import pytest

from kubeadm_py.engine.events import Failed, Timing
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.report import errors, text
from kubeadm_py.report.errors import format_error, glyphs_for
from kubeadm_py.report.text import ASCII, UNICODE
from kubeadm_py.report.timing import slowest, table


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0s"), (1.36, "1.4s"), (99.9, "99.9s"), (99.96, "1m40s"), (121.7, "2m02s"), (3725, "1h02m")],
)
def test_durations(seconds, shown):
    assert text.duration(seconds) == shown


def test_wrapping_never_breaks_a_word_or_what_is_quoted():
    assert text.wrap("see `systemctl reload ssh`, then", 20, "  ") == [
        "  see",
        "  `systemctl reload ssh`,",
        "  then",
    ]
    assert text.wrap("a b", None, "> ") == ["> a b"]
    assert text.wrap("", 10, "> ") == [">"]
    assert text.wrap("one two three", 9, "- ", "") == ["- one two", "three"]


def test_wide_characters_count_twice():
    assert text.wrap("漢字 漢字 漢字", 9) == ["漢字 漢字", "漢字"]
    assert text.cut("漢字漢字", 5) == "漢字…"
    assert text.cut("abc", 0) == ""


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("short one", ["  short one"]),
        ("kubectl get nodes --all-namespaces", ["  kubectl get \\", "    nodes \\", "    --all-namespaces"]),
        ("echo 'one two three four five' end", ["  echo \\", "    'one two three four five' \\", "    end"]),
        ("echo it's a lone quote in here", ["  echo it's a \\", "    lone quote \\", "    in here"]),
    ],
)
def test_commands_go_on_after_a_backslash(command, lines):
    assert text.command(command, 17, "  ") == lines


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("try this", ["> try this"]),
        (
            "load the key: ssh-add /root/.ssh/id_ed25519",
            ["> load the key:", "    ssh-add \\", "      /root/.ssh/id_ed25519"],
        ),
        (
            "ssh-add /root/.ssh/id_ed25519 -t 600",
            ["> ssh-add \\", "    /root/.ssh/id_ed25519 \\", "    -t 600"],
        ),
        ("is sshd up: sshd listens on a port", ["> is sshd up: sshd", "  listens on a port"]),
        ("first\nsecond", ["> first", "  second"]),
        ("go on: --ignore-preflight-errors=all", ["> go on:", "    --ignore-preflight-errors=all"]),
    ],
)
def test_advice_keeps_its_command_whole(given, lines):
    assert text.advice(given, 20, "> ") == lines


def test_what_would_steer_a_terminal_is_taken_out():
    dirty = "a\x1b[2Jb\x1b]8;;http://x\x1b\\c\rd\x9b31me\u202ef\x00\tg"
    assert text.clean(dirty) == "abcd31mef    g"
    assert UNICODE.text("a → b") == "a → b"
    assert ASCII.text("a → b… é") == "a -> b... ?"


def test_the_right_edge():
    assert text.between("left", "right", 14) == "left     right"
    assert text.between("much too long", "right", 14) == "much t…  right"
    assert text.between("left", "right", None) == "left  right"
    assert text.between("left", "", 10) == "left"


class TestTiming:
    def test_nothing_to_show(self):
        assert table([], 80) == []
        assert slowest([]) is None

    def test_a_stage_that_ran_twice_counts_as_a_whole(self):
        twice = [Timing("control", "cp1", 1.0), Timing("control", "cp1", 2.0), Timing("look", "w1", 1.0)]
        assert table(twice, 80) == [
            "  time  control    look   total",
            "  cp1      3.0s            3.0s",
            "  w1               1.0s    1.0s",
        ]

    def test_many_hosts_are_summed_up_by_stage(self):
        many = [Timing("look", f"n{number}", number / 10) for number in range(30)]
        assert table(many, 80) == ["  stage    time  slowest host", "  look     2.9s  n29"]

    def test_a_narrow_terminal_too(self):
        assert table([Timing("a-long-stage-name", "a-long-host-name", 1.0)], 35) == [
            "  stage                time  slo...",
            "  a-long-stage-name    1.0s  a-l...",
        ]


class TestErrors:
    def test_one_error(self):
        error = UnreachableError("no answer", host="w1", details=["tried twice"], fix="start it")
        assert format_error(error, width=60, glyphs=UNICODE) == (
            "✗ w1: no answer                                     (exit 7)\n    tried twice\n\n  → start it\n"
        )

    def test_in_a_pipe_nothing_is_wrapped(self, monkeypatch, capsys):
        error = UsageError("x " * 100 + "end")
        assert len(format_error(error, glyphs=ASCII).splitlines()) == 1

    def test_on_a_terminal_it_is_as_wide_as_that(self, monkeypatch):
        class Terminal:
            encoding = "utf-8"

            def isatty(self):
                return True

        monkeypatch.setattr(errors.sys, "stderr", Terminal())
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setenv("TERM", "xterm")
        lines = format_error(UsageError("word " * 30)).splitlines()
        assert len(lines) > 3
        assert max(map(len, lines)) <= 40

    def test_several_errors_that_one_carries(self):
        error = KubeadmPyError("first", host="w1")
        error.errors = (error, UnreachableError("second", host="w2"))
        error.exit_code = ExitCode.UNREACHABLE
        assert format_error(error, width=60, glyphs=ASCII).splitlines() == [
            "x failed: 2 errors on 2 hosts                       (exit 7)",
            "",
            "  x w1: first",
            "",
            "  x w2: second",
        ]

    def test_config_problems_keep_their_columns_where_there_is_room(self):
        error = UsageError(
            "cluster.yaml has 2 problems",
            details=[
                "cluster.yaml:12:5   networking.podSubnet   10.96.0.0/16 overlaps",
                "cluster.yaml:31:3   role   x",
            ],
        )
        assert format_error(error, width=80, glyphs=UNICODE).splitlines()[1:] == [
            "    cluster.yaml:12:5   networking.podSubnet   10.96.0.0/16 overlaps",
            "    cluster.yaml:31:3   role   x",
        ]

    def test_a_summary_of_several_lines(self):
        lines = list(errors.failure(Failed("first\nsecond"), 80, UNICODE))
        assert lines == ["✗ first", "    second"]

    @pytest.mark.parametrize(
        ("encoding", "term", "glyphs"),
        [("utf-8", "xterm", UNICODE), ("UTF8", "xterm", UNICODE), ("utf-8", "dumb", ASCII),
         ("ascii", "xterm", ASCII), (None, "xterm", ASCII)],
    )  # fmt: skip
    def test_symbols_suit_the_stream(self, monkeypatch, encoding, term, glyphs):
        class Stream:
            pass

        monkeypatch.setenv("TERM", term)
        stream = Stream()
        stream.encoding = encoding
        assert glyphs_for(stream) is glyphs


def test_a_problem_that_does_not_fit_stands_below_its_place():
    lines = (
        "cluster.yaml:5:9    spec.ssh.usr         unknown key; did you mean user?",
        'cluster.yaml:7:17   spec.hosts[0].role   "workr": one of control-plane, worker, etcd; is it worker?',
    )
    error = KubeadmPyError("cluster.yaml has 2 problems", details=lines)
    assert format_error(error, width=80, glyphs=UNICODE).splitlines()[1:] == [
        "    cluster.yaml:5:9    spec.ssh.usr         unknown key; did you mean user?",
        "    cluster.yaml:7:17 spec.hosts[0].role",
        '      "workr": one of control-plane, worker, etcd; is it worker?',
    ]
    assert all(line in format_error(error, width=140, glyphs=UNICODE) for line in lines)
    assert max(map(len, format_error(error, width=50, glyphs=UNICODE).splitlines())) <= 50
