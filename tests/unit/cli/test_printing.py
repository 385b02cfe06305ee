"""Tables as people see them: whole in a pipe, as wide as the terminal where columns may be left out."""

from __future__ import annotations

import io

import pytest

from kubeadm_py.cli.verbs import printing

COLUMNS = ("NAME", "PROVIDES", "DESCRIPTION")
ROWS = [
    ("flannel", "pod-network", "Pod network with a VXLAN overlay or plain routes, one subnet a node"),
    ("local-path-storage", "storage", "Volumes in a directory of the node that runs the pod"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch):
    def print_table(columns: int, spare: tuple[str, ...], stream: io.StringIO) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout", stream)
        printing.table(COLUMNS, ROWS, spare)
        return stream.getvalue().splitlines()

    return print_table


def test_in_a_pipe_it_is_whole(shown):
    lines = shown(40, ("PROVIDES",), io.StringIO())
    assert lines[1] == f"flannel              pod-network   {ROWS[0][2]}"
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("columns", "kept"), [(140, "NAME PROVIDES DESCRIPTION"), (80, "NAME PROVIDES DESCRIPTION")]
)
def test_the_last_column_is_wrapped(shown, columns, kept):
    lines = shown(columns, ("PROVIDES",), Terminal())
    assert lines[0].split() == kept.split()
    assert max(map(len, lines)) <= columns
    assert " ".join("\n".join(lines).split()).endswith("the pod")


def test_columns_are_left_out_where_there_is_little_room(shown):
    lines = shown(60, ("PROVIDES",), Terminal())
    assert lines[0].split() == ["NAME", "DESCRIPTION"]
    assert max(map(len, lines)) <= 60


def test_what_may_not_be_left_out_is_printed_whole(shown):
    lines = shown(40, (), Terminal())
    assert len(lines) == 3
