"""Ask an API that exists in memory to sign kubelets' certificates."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubeadm_py.pki import keys
from kubeadm_py.pki.node_request import node_request
from kubeadm_py.token import tls_bootstrap
from kubeadm_py.token.cluster_info import Clock

SIGNED = {"certificate": "for the key of the request"}


def certified(request: bytes) -> bytes:
    """Return a certificate for a request's key, signed by nobody known."""
    wanted, now = x509.load_pem_x509_csr(request), datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(wanted.subject)
        .issuer_name(wanted.subject)
        .public_key(wanted.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


class Signer:
    """Answers as an API server and its controller manager do; `statuses` are a request's, look by look."""

    def __init__(self, *statuses: dict[str, Any], refusals: tuple[int, ...] = ()) -> None:
        self.statuses = list(statuses)
        self.refusals = list(refusals)
        self.created: list[dict[str, Any]] = []
        self.looks = 0

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        if method == "POST":
            assert path == tls_bootstrap.PATH
            if self.refusals:
                return self.refusals.pop(0), b"{}"
            self.created.append(body)
            return 201, json.dumps({"metadata": {"name": f"node-csr-{len(self.created)}"}}).encode()
        assert path.startswith(f"{tls_bootstrap.PATH}/node-csr-")
        self.looks += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == SIGNED:
            request = base64.b64decode(self.created[int(path.rpartition("-")[2]) - 1]["spec"]["request"])
            status = {"certificate": base64.b64encode(certified(request)).decode()}
        return 200, json.dumps({"status": status}).encode()


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ask(signer: Signer, *names: str, patience: float = 2.0):
    time = Time()
    clock = Clock(lambda: time.now, time.sleep)
    return tls_bootstrap.credentials(signer, names, clock=clock, patience=patience), time.now


def test_the_request_is_a_kubelets() -> None:
    signer = Signer({}, SIGNED)
    signed, took = ask(signer, "w1")
    (created,) = signer.created
    assert created["metadata"] == {"generateName": "node-csr-"}
    assert created["spec"]["signerName"] == "kubernetes.io/kube-apiserver-client-kubelet"
    assert created["spec"]["usages"] == ["digital signature", "client auth"]
    request = x509.load_pem_x509_csr(base64.b64decode(created["spec"]["request"]))
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=system:node:w1,O=system:nodes"
    key = keys.parse_private(signed["w1"].key_pem, "key")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert keys.same_key(key.public_key(), request.public_key())
    assert b"BEGIN CERTIFICATE" in signed["w1"].certificate_pem
    assert took < 0.1
    assert "PRIVATE" not in repr(signed)


def test_each_node_has_a_key_of_its_own() -> None:
    signed, _ = ask(Signer(SIGNED), "w1", "w2")
    assert list(signed) == ["w1", "w2"]
    assert signed["w1"].key_pem != signed["w2"].key_pem


def test_a_token_that_is_a_moment_old() -> None:
    signed, _ = ask(Signer(SIGNED, refusals=(401, 401)), "w1")
    assert "w1" in signed


@pytest.mark.parametrize("refusals", [(403,), (404,), (401,) * 1000], ids=["forbidden", "no API", "unknown"])
def test_a_cluster_that_takes_no_request(refusals: tuple[int, ...]) -> None:
    signer = Signer(SIGNED, refusals=refusals)
    signed, took = ask(signer, "w1")
    assert signed == {}
    assert signer.looks == 0
    assert took <= 2.1


def test_one_that_nobody_approves_is_left_to_its_kubelet() -> None:
    signed, took = ask(Signer({}), "w1")
    assert signed == {}
    assert 2.0 <= took <= 2.1


@pytest.mark.parametrize("answer", [b"no PEM", b"another's"], ids=["no certificate", "of another key"])
def test_what_a_kubelet_could_not_start_with_is_left_alone(answer: bytes) -> None:
    if answer == b"another's":
        key = keys.generate("ECDSA-P256")
        answer = certified(node_request("w1", key))
    signed, _ = ask(Signer({"certificate": base64.b64encode(answer).decode()}), "w1")
    assert signed == {}


@pytest.mark.parametrize("kind", ["Denied", "Failed"])
def test_a_refusal_is_not_waited_out(kind: str) -> None:
    signed, took = ask(Signer({"conditions": [{"type": kind}]}), "w1")
    assert signed == {}
    assert took == 0
