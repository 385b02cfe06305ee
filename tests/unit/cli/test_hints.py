"""What messages tell a person to type can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import kubeadm_py
from kubeadm_py.cli.table import COMMANDS

SOURCES = sorted(Path(kubeadm_py.__file__).parent.rglob("*.py"))
TO_COME = ("apply", "plan", "remove", "certs", "etcd", "upgrade", "bundle", "status", "logs", "dashboard")
"""Verbs of the design that are no commands yet."""


def commands() -> set[str]:
    return {path.partition(" ")[0] for path in COMMANDS}


@pytest.mark.parametrize("verb", TO_COME)
def test_no_message_names_a_command_that_is_not_there(verb):
    if verb in commands():
        return
    named = [path.name for path in SOURCES if re.search(rf"kubeadm-py {verb}\b", path.read_text())]
    assert named == []


def test_commands_are_found():
    assert {"init", "join", "verify", "reset", "token", "kubeconfig"} <= commands()
