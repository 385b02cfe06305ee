"""Whatever a host answers, it is read or refused by name: what it prints is not ours to trust."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.profiles import load_saved

ANSWERS = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "answers").iterdir())}


def read(answer: bytes) -> None:
    with contextlib.suppress(KubeadmPyError):
        load_saved(answer)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("digits", ["²", "99999999999999999999999", "-1", ""])
@pytest.mark.parametrize("digit", ["0", "1", "7"])
def test_numbers_that_are_none(name, digit, digits):
    read(ANSWERS[name].replace(digit.encode(), digits.encode()))


@pytest.mark.parametrize("line", ["", "8:1", "8:1 5", "² 5 /x", "9" * 30 + " 5 /x"])
def test_a_lock_of_a_package_manager_that_is_cut_off(line):
    read(ANSWERS["ubuntu-24.04-systemd-resolved.txt"] + f"\n==> !package-locks <==\n{line}\n".encode())


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(ANSWERS)),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 60), st.binary(max_size=5)), max_size=12),
)
def test_answers_with_pieces_changed(name, changes):
    answer = ANSWERS[name]
    for begin, length, put in changes:
        at = begin % len(answer)
        answer = answer[:at] + put + answer[at + length :] or b"x"
    read(answer)
