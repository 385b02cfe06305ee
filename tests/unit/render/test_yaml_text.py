from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubeadm_py.model.node import Role
from kubeadm_py.render.yaml_text import dump, inline

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

READ_AS_OTHER_BY_SOMEONE = [
    "", "y", "N", "yes", "No", "on", "OFF", "true", "False", "null", "~", "NULL", "<<", "=",
    "0", "25", "-1", "+5", "1_000", "0x1F", "0o17", "017", "0b11", "1e3", "1E-3", "12e03",
    "1.", ".5", "-.5e1", "3.14", ".inf", "-.INF", ".nan", "2026-01-02", "2026-01-02T03:04:05Z",
    "12:30", "190:20:30",
]  # fmt: skip
PLAIN = [
    "10.96.0.0/12",
    "10.99.0.11",
    "unix:///run/containerd/containerd.sock",
    "v1.36.3",
    "--bind-address=127.0.0.1",
    "::1",
    "8760h0m0s",
    "0s",
    "1.2.3",
    "1e3x",
    "nope",
]


@pytest.mark.parametrize("text", READ_AS_OTHER_BY_SOMEONE)
def test_text_that_some_reader_takes_for_another_type_is_quoted(text: str) -> None:
    assert dump({"a": text}) == f'a: "{text}"\n'.encode()
    assert yaml.safe_load(inline(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_text_stays_plain(text: str) -> None:
    assert dump({"a": text}) == f"a: {text}\n".encode()


@given(VALUES)
def test_dump_and_inline_read_back_equal(value: Any) -> None:
    assert yaml.safe_load(dump(value)) == value
    assert yaml.safe_load(f"- key: {inline(value)}\n") == [{"key": value}]


@given(TEXT)
def test_inline_is_one_line(text: str) -> None:
    assert len(inline([text, {text: text}]).splitlines()) == 1


def test_keys_are_sorted_and_lists_are_not_indented() -> None:
    assert dump({"b": ["x"], "a": {}, "c": []}) == b"a: {}\nb:\n- x\nc: []\n"
    assert dump({"b": 1, "a": 2}, sort_keys=False) == b"b: 1\na: 2\n"


def test_several_lines_are_a_block() -> None:
    assert dump({"a": "one\ntwo\n"}) == b"a: |\n  one\n  two\n"


def test_a_value_used_twice_makes_no_anchor() -> None:
    shared = {"k": "v"}
    assert b"&" not in dump([shared, shared])
    assert "&" not in inline([shared, shared])


def test_long_values_are_not_wrapped() -> None:
    text = "word " * 100 + "end"
    assert dump({"a": text}) == f"a: {text}\n".encode()


def test_enumerations_are_written_as_their_text() -> None:
    assert dump({"role": Role.WORKER}) == b"role: worker\n"
    assert inline(Role.WORKER) == '"worker"'
