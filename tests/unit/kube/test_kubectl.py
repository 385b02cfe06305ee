"""kubectl on a control plane, over the fake transport and under a shell."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.kube import kubectl, tokens
from kubeadm_py.model import paths
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost


@pytest.fixture
def host():
    return FakeHost("cp1")


@pytest.mark.parametrize(
    "word", ["plain", "with space", "it's", "$(id)", "`id`", "a;b", "*", "", "--flag=x y", "\n"]
)
def test_words_stay_words(word, tmp_path):
    stand_in = tmp_path / "kubectl"
    stand_in.write_text('#!/bin/sh\nfor last; do :; done\nprintf "%s|" "$last"\n')
    stand_in.chmod(0o755)
    ended = subprocess.run(
        ["sh", "-eu", "-c", kubectl.command(["get", word])],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{word}|"


def test_it_asks_as_the_administrator_and_not_for_ever(host):
    host.answer("kubectl", "fine")
    assert kubectl.run(host, ["get", "nodes"], doing="looking") == b"fine"
    [script] = host.scripts
    assert f"--kubeconfig {paths.ADMIN_CONF}" in script
    assert "--request-timeout 20s" in script
    assert f"--cache-dir {paths.KUBECTL_CACHE}" in script, "nothing is left in root's home"


def test_a_failure_says_what_was_being_done(host):
    said = "\n".join(f"line {number}" for number in range(9)) + "\n\n"
    host.answer("kubectl", Result(1, b"", said.encode()))
    with pytest.raises(KubeadmPyError, match="cp1: deleting the nodes w1 failed") as caught:
        kubectl.run(host, ["delete", "node", "w1"], doing="deleting the nodes w1")
    assert caught.value.details == ("line 4", "line 5", "line 6", "line 7", "line 8")
    assert "get nodes" in caught.value.fix


@pytest.mark.parametrize(
    ("kubeconfig", "has_kubectl", "says"),
    [
        ("/nowhere/admin.conf", True, "listing the tokens failed: /nowhere/admin.conf is not there"),
        ("/etc/hostname", False, "listing the tokens failed: there is no kubectl"),
    ],
)
def test_a_machine_without_a_cluster_is_told_what_it_lacks(tmp_path, kubeconfig, has_kubectl, says):
    """The script runs as it is: what a shell says counts, not what a fake one would."""
    if has_kubectl:
        (tmp_path / "kubectl").write_text("#!/bin/sh\necho never asked\n")
        (tmp_path / "kubectl").chmod(0o755)

    class Shell(FakeHost):
        def run(self, script, **_options):
            ended = subprocess.run(
                # The product looks below /usr/local/bin, too, where this machine may have a real one.
                ["/bin/sh", "-c", script.replace("PATH=$PATH:/usr/local/bin; ", "")],
                env={"PATH": str(tmp_path)},
                capture_output=True,
            )
            return Result(ended.returncode, ended.stdout, ended.stderr)

    with pytest.raises(KubeadmPyError, match=says) as caught:
        kubectl.run(Shell("w1"), ["get", "secrets"], doing="listing the tokens", kubeconfig=kubeconfig)
    assert caught.value.host == "w1"
    assert "get nodes" not in caught.value.fix


def test_a_lost_connection_is_told_as_such(host):
    host.lost = True
    with pytest.raises(UnreachableError):
        kubectl.run(host, ["get", "nodes"], doing="looking")


def test_json(host):
    host.answer("-o json", '{"items": []}')
    assert kubectl.get_json(host, ["nodes"], doing="looking") == {"items": []}


@pytest.mark.parametrize("said", ["", "<html>", "[1]"])
def test_what_is_no_object_is_no_traceback(host, said):
    host.answer("-o json", said)
    with pytest.raises(KubeadmPyError, match="looking failed: kubectl's answer is no JSON object"):
        kubectl.get_json(host, ["nodes"], doing="looking")


SECRET = {"metadata": {"name": "bootstrap-token-abcdef"}, "data": {"token-secret": "c2VjcmV0"}}


class TestTokens:
    def test_a_secret_travels_on_standard_input(self, host):
        tokens.create(host, SECRET)
        [call] = [call for call in host.calls if call.kind == "run"]
        assert json.loads(call.data) == SECRET
        assert "c2VjcmV0" not in call.text
        assert base64.b64decode("c2VjcmV0").decode() not in call.text
        assert "create -f -" in call.text

    def test_they_are_listed_by_their_type(self, host):
        host.answer("bootstrap.kubernetes.io/token", json.dumps({"items": [SECRET]}))
        assert tokens.listed(host) == [SECRET]

    def test_one_is_deleted(self, host):
        host.answer("bootstrap-token-abcdef", 'secret "bootstrap-token-abcdef" deleted\n')
        tokens.delete(host, "abcdef")
        assert "-n kube-system" in host.scripts[0]

    def test_one_that_is_not_there(self, host):
        with pytest.raises(KubeadmPyError, match="there is no bootstrap token with the id abcdef"):
            tokens.delete(host, "abcdef")
