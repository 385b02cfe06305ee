"""The command line as kubeadm's users type it."""

from __future__ import annotations

import pytest

from kubeadm_py.cli import app, syntax


class RefusedError(Exception):
    pass


def refuse(message: str) -> None:
    raise RefusedError(message)


def normal(*args: str) -> list[str]:
    return syntax.normal(args, app.command("reset").params, refuse)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--dry-run=true"], ["--dry-run"]),
        (["--dry-run=T", "-f=1"], ["--dry-run", "-f"]),
        (["--dry-run=false"], []),
        (["--dry-run", "--dry-run=false"], []),
        (["-f", "--force=0"], []),
        (["-v=5"], ["-v", "5"]),
        (["-v5", "--v=2"], ["-v5", "--v=2"]),
        (["--config", "--dry-run=false"], ["--config", "--dry-run=false"]),
        (["--config=a=b", "x=y"], ["--config=a=b", "x=y"]),
        (["--", "--dry-run=false"], ["--", "--dry-run=false"]),
        (["--config"], ["--config"]),
    ],
)
def test_flags_in_clicks_form(typed, meant):
    assert normal(*typed) == meant


def test_a_switch_is_true_or_false():
    with pytest.raises(RefusedError, match='invalid argument "maybe" for "--dry-run"'):
        normal("--dry-run=maybe")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("-v 5 init --dry-run", "init -v 5 --dry-run"),
        ("--v=5 token --kubeconfig x list", "token list --v=5 --kubeconfig x"),
        ("init --config x phase certs ca", "init phase certs ca --config x"),
        ("init --config x", "init --config x"),
        ("join phase --help", "join phase --help"),
        ("join 10.0.0.1:6443 --token t", "join 10.0.0.1:6443 --token t"),
        ("--help init", "--help init"),
        ("frobnicate -v 5", "frobnicate -v 5"),
        ("-v", "-v"),
    ],
)
def test_flags_may_stand_before_the_words(typed, meant):
    assert syntax.words_first(typed.split(), app.is_path) == meant.split()
