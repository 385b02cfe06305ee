"""Lines that hold a credential are not shown, and all others are."""

from __future__ import annotations

import pytest

from kubeadm_py.model.credentials import WITHHELD, withheld


@pytest.mark.parametrize(
    "line",
    [
        'password = "x"',
        "identitytoken: abc",
        "url = https://me:pass@mirror.example",
        'auth = "abc"',
        "Authorization: Basic abc",
        "- name: API_TOKEN, value: abc",
    ],
)
def test_a_credential(line):
    assert withheld(line) == WITHHELD


@pytest.mark.parametrize(
    "line", ["- --token-auth-file=/etc/f", "image: registry.k8s.io/pause:3.10", "# a comment", ""]
)
def test_none(line):
    assert withheld(line) == line


def test_a_value_after_its_name():
    text = "- name: DB_PASSWORD\n  value: abc\n- name: V\n  value: '1'"
    assert withheld(text) == f"- name: DB_PASSWORD\n{WITHHELD}\n- name: V\n  value: '1'"


def test_it_can_be_done_twice():
    text = "- name: DB_PASSWORD\n  value: abc\npassword = 1\n"
    assert withheld(withheld(text)) == withheld(text)
