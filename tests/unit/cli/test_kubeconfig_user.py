"""`kubeconfig user` where there is nothing to sign with; node tests log in with what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubeadm_py.cli.verbs import kubeconfig_user as verb
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model import paths
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.transport.fake import FakeHost

CONFIG = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.11}
nodeRegistration: {name: cp1}
"""


@pytest.mark.parametrize(
    ("token", "has_certificate", "says"),
    [
        ("", False, r"/ca\.crt is not there: this host is no control plane"),
        ("abc", False, r"/ca\.crt is not there: this host is no control plane"),
        ("", True, r"/ca\.key is not there: an external CA"),
    ],
)
def test_without_what_signs_it_says_what_is_missing(
    tmp_path: Path, monkeypatch, token, has_certificate, says
):
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG)
    certificate = f"{paths.PKI_DIR}/ca.crt"
    facts = plain_debian_12("cp1", "192.0.2.11")
    if has_certificate:
        facts.files[certificate] = FileFact(certificate, 0o644, "root:root", "0" * 64)

    def first(_run: Any, candidates: Any, _parts: Any) -> Session:
        (node,) = candidates
        return Session(node, FakeHost("cp1"), facts, Inventory(), "")

    monkeypatch.setattr(verb, "first", first)
    with pytest.raises(KubeadmPyError, match=says) as caught:
        verb.user(
            config=str(config),
            hosts=[],
            client_name="jane",
            organizations=[],
            token=token,
            token_file="",
            validity_period="",
        )
    assert caught.value.host == "cp1"
    assert caught.value.fix


@pytest.mark.parametrize("name", ["", " "])
def test_nobody_gets_a_certificate(name):
    with pytest.raises(UsageError, match="--client-name is empty"):
        verb.user(
            config="",
            hosts=[],
            client_name=name,
            organizations=[],
            token="",
            token_file="",
            validity_period="",
        )
