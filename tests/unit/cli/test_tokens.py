"""The token verbs: what is printed, and what is asked of the control plane."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from kubeadm_py.cli.verbs import token as verb
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost

TOKEN = "abcdef.0123456789abcdef"
CREATE: dict[str, Any] = {
    "config": "",
    "hosts": [],
    "token": TOKEN,
    "ttl": "24h0m0s",
    "description": "",
    "groups": [],
    "usages": [],
    "print_join_command": False,
    "dry_run": False,
}


@functools.cache
def ca_pem() -> bytes:
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))
    cluster = ResolvedCluster("demo", Version(1, 36, 3), (node,), encryption_algorithm="ECDSA-P256")
    with Authorities.from_fresh(cluster, now=datetime.now(UTC)) as authorities:
        return authorities.ca_pem()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    made = FakeHost("cp1")

    @contextlib.contextmanager
    def leader(*_arguments: object, **_options: object) -> Iterator[tuple[None, FakeHost]]:
        yield None, made

    monkeypatch.setattr(verb, "leader", leader)
    return made


def stored(**data: str) -> dict[str, Any]:
    encoded = {
        key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()
    }
    return {"metadata": {"name": f"bootstrap-token-{data['token_id']}"}, "data": encoded}


def sent(host: FakeHost) -> dict[str, Any]:
    (call,) = [call for call in host.calls if call.data]
    return {key: base64.b64decode(value).decode() for key, value in json.loads(call.data)["data"].items()}


def test_a_token_for_signing_only_has_no_groups(host, capsys):
    """kubeadm refuses its own default group there, so that it cannot make one."""
    host.answer("create", Result(0, b"", b""))
    verb.create(**CREATE | {"usages": ["signing"], "ttl": "0"})
    assert capsys.readouterr().out == f"{TOKEN}\n"
    data = sent(host)
    assert data["usage-bootstrap-signing"] == "true"
    assert {"auth-extra-groups", "expiration", "usage-bootstrap-authentication"}.isdisjoint(data)


def test_a_taken_id_is_told_in_words(host):
    taken = b'Error from server (AlreadyExists): secrets "bootstrap-token-abcdef" already exists'
    host.answer("create", Result(1, b"", taken))
    with pytest.raises(KubeadmPyError, match="a token with the id abcdef already exists"):
        verb.create(**CREATE)


def test_a_dry_run_asks_for_nothing(host, capsys):
    verb.create(**CREATE | {"dry_run": True})
    verb.delete(config="", hosts=[], names=["abcdef"], dry_run=True)
    assert host.calls == []
    assert "abcdef" in capsys.readouterr().err


def test_a_certificate_key_shapes_the_join_command_only(host, capsys):
    with pytest.raises(UsageError, match="--certificate-key"):
        verb.create(**CREATE | {"certificate_key": "ab" * 32})
    host.answer("create", Result(0, b"", b""))
    admin = kubeconfig.render("c", "https://api.x:6443", ca_pem(), "u", token=Secret("t"))
    host.files["/root/own.conf"] = admin
    verb.create(
        **CREATE | {"certificate_key": "ab" * 32, "print_join_command": True, "kubeconfig": "/root/own.conf"}
    )
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    for line in printed:
        assert line.endswith(f" --control-plane --certificate-key {'ab' * 32}")
    (call,) = [call for call in host.calls if call.data]
    assert "--kubeconfig /root/own.conf" in call.text


def test_a_certificate_key_that_is_none(host):
    """The line that is printed would be refused only where it is typed, on another host."""
    with pytest.raises(UsageError, match="--certificate-key: not a certificate key"):
        verb.create(**CREATE | {"certificate_key": "ab", "print_join_command": True})
    assert host.calls == []


OF_KUBEADM = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- {token: abcdef.0123456789abcdef, ttl: 2h, description: one}
- {token: bbbbbb.0123456789abcdef, ttl: 0s}
"""
OURS = """\
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts: [{name: cp1, role: control-plane, address: 192.0.2.11}]
"""
NOTHING_TYPED: dict[str, Any] = {"token": "", "ttl": ""}


def test_a_file_of_kubeadms_says_which_tokens(host, tmp_path, capsys):
    file = tmp_path / "init.yaml"
    file.write_text(OF_KUBEADM)
    host.answer("create", Result(0, b"", b""))
    verb.create(**CREATE | NOTHING_TYPED | {"config": str(file)})
    assert capsys.readouterr().out == f"{TOKEN}\n"
    made = [json.loads(call.data)["data"] for call in host.calls if call.data]
    assert [base64.b64decode(each["token-id"]).decode() for each in made] == ["abcdef", "bbbbbb"]
    assert ["description" in each for each in made] == [True, False]
    assert ["expiration" in each for each in made] == [True, False]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"ttl": "1h", "usages": ["signing"]}, r"arguments \[ttl usages\]"),
        ({"token": TOKEN}, "bootstrapTokens"),
    ],
)
def test_such_a_file_and_flags_that_say_the_same(host, tmp_path, typed, told):
    file = tmp_path / "init.yaml"
    file.write_text(OF_KUBEADM)
    with pytest.raises(UsageError, match=told):
        verb.create(**CREATE | NOTHING_TYPED | {"config": str(file)} | typed)
    assert host.calls == []


def test_a_cluster_document_says_which_cluster(host, tmp_path, capsys):
    file = tmp_path / "cluster.yaml"
    file.write_text(OF_KUBEADM + OURS)
    verb.create(**CREATE | {"config": str(file), "token": "cccccc.0123456789abcdef", "dry_run": True})
    assert capsys.readouterr().out == "cccccc.0123456789abcdef\n"


@pytest.mark.parametrize("output", ["text", "json", "yaml"])
def test_the_list_in_each_form(host, capsys, output):
    items = [
        stored(token_id="aaaaaa", token_secret="0123456789abcdef", description="d"),
        stored(token_id="bbbbbb"),
        stored(token_id="cccccc", token_secret="0123456789abcdef"),
    ]
    host.answer("get", Result(0, json.dumps({"items": items}).encode(), b""))
    verb.list_(config="", hosts=[], output=output)
    printed = capsys.readouterr()
    assert re.match(r"warning: the Secret kube-system/bootstrap-token-bbbbbb ", printed.err)
    match output:
        case "text":
            assert [line.split()[0] for line in printed.out.splitlines()][1:] == [
                "aaaaaa.0123456789abcdef",
                "cccccc.0123456789abcdef",
            ]
        case "json":
            decoder = json.JSONDecoder()
            first, end = decoder.raw_decode(printed.out)
            assert list(first) == ["kind", "apiVersion", "token", "description"]
            assert decoder.raw_decode(printed.out[end:].lstrip())[0]["token"].startswith("cccccc")
        case "yaml":
            assert [each["token"][:6] for each in yaml.safe_load_all(printed.out)] == ["aaaaaa", "cccccc"]


def test_no_token_prints_nothing(host, capsys):
    host.answer("get", Result(0, b'{"items": []}', b""))
    verb.list_(config="", hosts=[], output="text")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("output", ["name", "jsonpath={.token", "go-template", "templatefile=/nope"])
def test_a_form_that_there_is_not(host, output):
    with pytest.raises(UsageError, match=r"--output|the template /nope cannot be read"):
        verb.list_(config="", hosts=[], output=output)
    assert host.calls == []


def test_a_control_plane_without_admin_conf(host):
    host.answer("create", Result(0, b"", b""))
    with pytest.raises(KubeadmPyError, match=f"{paths.ADMIN_CONF} is not there"):
        verb.create(**CREATE | {"print_join_command": True})
