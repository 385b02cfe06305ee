"""Folders and files of the operator's own machine that are not as they should be."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import common, kubeconfig, render, secrets_given, status
from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.plan.run import Options

CLUSTER = ResolvedCluster("demo", Version(1, 36, 3), (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)),))
KUBECONFIG = b"""apiVersion: v1
kind: Config
current-context: a
clusters: [{name: demo, cluster: {server: "https://10.0.0.11:6443"}}]
contexts: [{name: a, context: {cluster: demo, user: admin}}]
users: [{name: admin, user: {}}]
"""


@pytest.fixture
def no_folder(tmp_path, monkeypatch):
    """Put local state where no folder can be made, whoever asks."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    return file


def test_the_home_of_nobody_is_no_fault_of_ours(monkeypatch):
    monkeypatch.setenv("HOME", "/home/jane")
    assert expanded("~/x") == Path("/home/jane/x")
    assert expanded("~no-such-user/x") == Path("~no-such-user/x")


def test_a_secret_that_is_not_text_is_read_all_the_same(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\xff\n"), encoding="utf-8"))
    assert secrets_given.content("-") == "abc\ufffd"


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_secret_that_cannot_be_read(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be read: "):
        secrets_given.content(str(tmp_path / name))


class TestWithoutAFolderForLocalState:
    def test_there_is_no_last_run(self, no_folder):
        with pytest.raises(UsageError, match="there is no log of any run"):
            status.last(Display())

    def test_a_run_goes_on_and_says_that_it_is_not_logged(self, no_folder, capsys):
        with common.a_run("apply", CLUSTER, Display(), Options()) as run:
            assert run.cluster is CLUSTER
        out = capsys.readouterr().out
        assert f"this run is not logged: {no_folder}/kubeadm-py: Not a directory" in out
        assert "name another folder in $XDG_STATE_HOME" in out

    def test_no_kubeconfig_can_be_kept(self, no_folder):
        with pytest.raises(UsageError, match="cannot be written: Not a directory"):
            kubeconfig.keep("demo", KUBECONFIG)


def test_local_state_is_looked_for_and_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(UsageError):
        status.last(Display())
    assert not (tmp_path / "state").exists()
    assert common.make_state_folder().stat().st_mode & 0o777 == 0o700


def test_a_log_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "kubeadm-py/runs/20260101-000000-apply-demo-1.jsonl").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        status.last(Display())


def test_facts_that_are_none(tmp_path):
    file = tmp_path / "facts.json"
    file.touch()
    with pytest.raises(UsageError, match=r"is no saved answer of a probe$") as refused:
        render._facts(CLUSTER, ["cp1"], str(file))
    assert "--save-facts" in str(refused.value.fix)
