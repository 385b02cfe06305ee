"""The upload of what control planes share: its documents, and its shell run for real."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace

import pytest

from kubeadm_py.model.actions import Late, RunScript
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import shared
from kubeadm_py.steps.certificates import upload_certs

from ..conftest import NOW

KEY = Secret("00" * 32)
TOKEN = Secret("abcdef.0123456789abcdef")
KUBECTL = """#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
  *'create -f - -o'*) cat >token; [ -e refuse ] || printf 1234-uid ;;
  *'get secret'*) [ ! -e there ] || echo secret/kubeadm-certs ;;
  *'apply '*) cat >readers ;;
  *' create -f '* | *' replace -f '*) for file; do :; done; cp "$file" certs; echo "$*" >how ;;
esac
"""


@pytest.fixture
def uploading(control_plane):
    return replace(control_plane, upload_key=KEY)


@pytest.fixture
def document(uploading):
    content = {each.path: b"-" for each in shared.shared_paths(uploading.cluster)}
    return upload_certs.document(shared.secret_object(uploading.cluster, content, KEY), TOKEN, NOW)


def run(ctx, document, folder) -> int:
    (action,) = upload_certs.plan(ctx)
    assert isinstance(action, RunScript)
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    (folder / "input").write_bytes(document)
    ended = subprocess.run(
        ["sh", "-euc", f"kpy_tmp={folder}/tmp\nmkdir -p {folder}/tmp\n{action.script}"],
        env={"PATH": f"{folder}:/usr/bin:/bin", "INPUT": f"{folder}/input"},
        capture_output=True,
        check=False,
        timeout=30,
    )
    return ended.returncode


def test_only_where_it_was_asked_for(control_plane, uploading):
    assert upload_certs.plan(control_plane) == []
    (action,) = upload_certs.plan(uploading)
    assert isinstance(action, RunScript)
    assert isinstance(action.stdin, Late)
    assert KEY.text() not in f"{action} {action.stdin.spec}"


def test_a_token_of_no_use_owns_the_secret(document):
    token, secret, readers = map(json.loads, document.splitlines())
    data = {key: base64.b64decode(value).decode() for key, value in token["data"].items()}
    assert data == {
        "description": "Proxy for managing TTL for the kubeadm-certs secret",
        "expiration": "2026-11-21T02:00:00Z",
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
    }
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Secret", "bootstrap-token-abcdef")
    assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, True)
    assert [item["kind"] for item in readers["items"]] == ["Role", "RoleBinding"]


@pytest.mark.parametrize(("there", "how"), [(False, "create"), (True, "replace")])
def test_the_owners_uid_is_put_in(uploading, document, tmp_path, there, how):
    if there:
        (tmp_path / "there").touch()
    assert run(uploading, document, tmp_path) == 0
    secret = json.loads((tmp_path / "certs").read_text())
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "1234-uid"
    assert f" {how} -f " in (tmp_path / "how").read_text()
    assert json.loads((tmp_path / "readers").read_text())["kind"] == "List"


def test_without_the_token_nothing_is_uploaded(uploading, document, tmp_path):
    (tmp_path / "refuse").touch()
    assert run(uploading, document, tmp_path) != 0
    assert not (tmp_path / "certs").exists()
