"""What was typed for older releases of kubeadm is answered with what is typed today."""

from __future__ import annotations

import pytest

from kubeadm_py.cli import old_spellings, phases
from kubeadm_py.cli.app import function
from kubeadm_py.cli.old_spellings import OLD_COMMANDS, OLD_FLAGS, is_there, refuse_old
from kubeadm_py.cli.table import COMMANDS
from kubeadm_py.errors import ExitCode, UsageError

KUBEADM_HAS = {"--patches", "--upload-certs"}
"""Flags of kubeadm's init that are answered with, whether or not ours has them yet."""


@pytest.mark.parametrize(
    ("typed", "summary", "fix"),
    [
        ("init --experimental-upload-certs", "--experimental-upload-certs", "today's flag is --upload-certs"),
        (
            "join 10.0.0.1:6443 --experimental-control-plane",
            "--experimental-control-plane",
            "--control-plane",
        ),
        ("init --skip-preflight-checks=true", "--skip-preflight-checks", "--ignore-preflight-errors=all"),
        ("init --experimental-kustomize dir", "--experimental-kustomize", "--patches"),
        ("init --self-hosted", "--self-hosted", "no self-hosted"),
        ("config view --kubeconfig x", "config view", "get configmap kubeadm-config"),
        ("alpha", "alpha", "no alpha commands"),
        ("alpha something else", "alpha", "no alpha commands"),
        (
            "alpha certs certificate-key",
            "alpha certs certificate-key",
            "type: kubeadm-py certs certificate-key",
        ),
        ("alpha phase certs all --config x", "alpha phase certs", "type: kubeadm-py init phase certs"),
        ("alpha phase controlplane all", "alpha phase controlplane", "kubeadm-py init phase control-plane"),
        ("alpha selfhosting pivot", "alpha selfhosting", "no self-hosted"),
        ("token list --experimental-output=json", "--experimental-output", "today's flag is --output"),
        (
            "join phase control-plane-join etcd --config x",
            "join phase control-plane-join etcd",
            "type: kubeadm-py join phase etcd-join",
        ),
        ("ex token list", "ex token", "type: kubeadm-py token"),
    ],
)
def test_answers(typed: str, summary: str, fix: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_old(typed.split())
    assert refused.value.summary == f"{summary} is of an older kubeadm"
    assert fix in refused.value.fix
    assert refused.value.exit_code is ExitCode.USAGE


def test_what_is_not_there_yet_is_not_told_to_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_spellings, "COMMANDS", {"certs renew": ""})
    with pytest.raises(UsageError) as refused:
        refuse_old(["config", "print-default"])
    assert (
        refused.value.fix == "`config print init-defaults` does it today, which kubeadm-py does not have yet"
    )
    with pytest.raises(UsageError) as refused:
        refuse_old(["alpha", "certs", "renew", "all"])
    assert refused.value.fix == "type: kubeadm-py certs renew"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "--help",
        "init --upload-certs --config old.yaml",
        "token create --description alpha",
        "init -- --self-hosted",
        "config validate --config alpha",
    ],
)
def test_today_is_left_alone(typed: str) -> None:
    refuse_old(typed.split())


def test_nothing_of_today_is_called_old() -> None:
    assert not set(OLD_COMMANDS) & {*COMMANDS, *phases.commands()}
    flags = {f"--{name.strip('_').replace('_', '-')}" for path in COMMANDS for name in names_of(path)}
    assert "--ignore-preflight-errors" in flags
    assert not set(OLD_FLAGS) & flags
    for old in (*OLD_COMMANDS.values(), *OLD_FLAGS.values()):
        assert bool(old.today) != bool(old.note)
        assert not old.today.startswith("--") or old.today.partition("=")[0] in flags | KUBEADM_HAS


def names_of(path: str) -> list[str]:
    code = function(path).__code__
    return list(code.co_varnames[: code.co_argcount])


def test_a_group_is_there_as_soon_as_one_of_its_commands_is() -> None:
    assert is_there("token")
    assert is_there("config validate")
    assert is_there("init phase certs")
    assert not is_there("tok")
