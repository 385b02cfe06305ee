from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shlex

from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.token import jws
from kubeadm_py.token.bootstrap import Token
from kubeadm_py.token.join_command import join_command

PARSED = Token.parse("07401b.f395accd246ae52d")


def test_the_header_is_the_documented_one() -> None:
    """The example of the Kubernetes documentation, "Authenticating with Bootstrap Tokens"."""
    header, empty, mac = jws.sign(b"anything", PARSED).split(".")
    assert header == "eyJhbGciOiJIUzI1NiIsImtpZCI6IjA3NDAxYiJ9"
    assert empty == ""
    assert len(mac) == 43


def test_the_mac_is_over_header_and_payload() -> None:
    content = "apiVersion: v1\nä\n".encode()
    header, _, mac = jws.sign(content, PARSED).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "kid": "07401b"}
    payload = base64.urlsafe_b64encode(content).decode().rstrip("=")
    expected = hmac.digest(b"f395accd246ae52d", f"{header}.{payload}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(mac + "=") == expected


def test_verify() -> None:
    signature = jws.sign(b"content", PARSED)
    assert jws.verify(b"content", signature, PARSED)
    for content, given, token in (
        (b"content ", signature, PARSED),
        (b"content", signature[:-1], PARSED),
        (b"content", "", PARSED),
        (b"content", "ü..ü", PARSED),
        (b"content", signature, Token.parse("07401b.f395accd246ae52e")),
        (b"content", signature, Token.parse("07401c.f395accd246ae52d")),
        # another algorithm must not be accepted because the header says so
        (b"content", "eyJhbGciOiJub25lIn0..", PARSED),
    ):
        assert not jws.verify(content, given, token)


def test_both_lines(authorities: Authorities, token: Secret) -> None:
    ours, kubeadm = join_command("https://10.0.0.11:6443", token, [authorities.ca_pem()])
    pin = pem.public_key_sha256(authorities.ca_pem())
    assert kubeadm == (
        f"kubeadm join 10.0.0.11:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash {pin}"
    )
    assert ours == (
        "echo abcdef.0123456789abcdef | kubeadm-py join 10.0.0.11:6443 --host USER@NEW-HOST"
        f" --token-file - --discovery-token-ca-cert-hash {pin}"
    )


def test_every_ca_has_its_hash_and_ipv6_is_quoted(
    authorities: Authorities, other_authorities: Authorities, token: Secret
) -> None:
    bundle = authorities.ca_pem() + other_authorities.ca_pem()
    for line in join_command("[fd00::1]:6443", token, [bundle, authorities.ca_pem()]):
        words = shlex.split(line)
        assert "[fd00::1]:6443" in words
        assert "'[fd00::1]:6443'" in line
        pins = [words[place + 1] for place, word in enumerate(words) if word.endswith("-cert-hash")]
        assert pins == pem.public_key_hashes(bundle)


def test_control_plane_form(authorities: Authorities, token: Secret) -> None:
    key = Secret("ab" * 32)
    for line in join_command("h:6443", token, [authorities.ca_pem()], certificate_key=key):
        assert line.endswith(f" --control-plane --certificate-key {'ab' * 32}")
