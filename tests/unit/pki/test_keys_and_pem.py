from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import keys, pem
from kubeadm_py.pki.authority import Authorities

FORMS = {
    "RSA-2048": "RSA PRIVATE KEY",
    "RSA-3072": "RSA PRIVATE KEY",
    "RSA-4096": "RSA PRIVATE KEY",
    "ECDSA-P256": "EC PRIVATE KEY",
    "ECDSA-P384": "EC PRIVATE KEY",
}


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_keys_are_what_kubeadm_makes(algorithm: str) -> None:
    key = keys.generate(algorithm)
    text = keys.private_pem(key).decode()
    assert text.startswith(f"-----BEGIN {FORMS[algorithm]}-----\n")
    assert text.endswith(f"-----END {FORMS[algorithm]}-----\n")
    assert keys.algorithm_of(key.public_key()) == algorithm
    assert keys.same_key(keys.parse_private(Secret(text), "the key").public_key(), key.public_key())
    assert keys.public_pem(key.public_key()).startswith(b"-----BEGIN PUBLIC KEY-----\n")


def test_an_unknown_algorithm_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        keys.generate("DSA-1024")


def test_keys_differ_and_are_told_apart() -> None:
    one, other = keys.generate("ECDSA-P256"), keys.generate("ECDSA-P256")
    assert not keys.same_key(one.public_key(), other.public_key())


def test_pkcs8_is_read_too() -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert keys.same_key(keys.parse_private(text, "the key").public_key(), key.public_key())


def bad_keys() -> dict[str, tuple[bytes, str]]:
    key = ec.generate_private_key(ec.SECP256R1())
    good = keys.private_pem(key)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "empty": (b"", "not a private key"),
        "garbage": (b"\x00\xff" * 40, "not a private key"),
        "truncated": (good[: len(good) // 2], "not a private key"),
        "damaged": (good.replace(b"M", b"!", 1), "not a private key"),
        "encrypted": (encrypted, "passphrase"),
        "ed25519": (edwards, "neither RSA nor ECDSA|neither an RSA nor an ECDSA"),
    }


@pytest.mark.parametrize(("content", "message"), bad_keys().values(), ids=bad_keys())
def test_a_bad_key_is_a_clear_error_without_its_content(content: bytes, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message) as caught:
        keys.parse_private(content, "/etc/kubernetes/pki/ca.key")
    assert caught.value.summary.startswith("/etc/kubernetes/pki/ca.key ")
    assert caught.value.fix
    if content:
        assert content.decode(errors="replace") not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hello", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA", "cut off"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_bad_certificates_are_clear_errors(content: bytes, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message) as caught:
        pem.certificates(content, "/etc/kubernetes/pki/ca.crt")
    assert caught.value.summary.startswith("/etc/kubernetes/pki/ca.crt ")


def test_a_truncated_second_certificate_is_noticed(authorities: Authorities) -> None:
    good = authorities.ca_pem()
    with pytest.raises(KubeadmPyError, match="cut off"):
        pem.certificates(good + good[:-30], "the bundle")


def test_text_and_keys_between_certificates_are_skipped(authorities: Authorities) -> None:
    one, other = authorities.ca_pem(), authorities.ca_pem("etcd-ca")
    key = keys.private_pem(keys.generate("ECDSA-P256"))
    found = pem.certificates(b"# our CA\n" + one + key + other, "the bundle")
    assert pem.encode(found) == one + other


def test_a_certificate_with_an_ed25519_key_is_refused(foreign) -> None:
    authority = foreign("ca")
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    builder = x509.CertificateBuilder(
        issuer_name=authority[0].subject,
        subject_name=authority[0].subject,
        public_key=key,
        serial_number=1,
        not_valid_before=authority[0].not_valid_before_utc,
        not_valid_after=authority[0].not_valid_after_utc,
    )
    certificate = builder.sign(authority[1], authority[0].signature_hash_algorithm)
    with pytest.raises(KubeadmPyError, match="neither RSA nor ECDSA"):
        pem.certificates(pem.encode([certificate]), "the certificate")


def test_every_truncation_and_flip_of_a_certificate_is_an_error_or_a_certificate(
    authorities: Authorities,
) -> None:
    """No damage to a file may end in anything but our own error."""
    good = authorities.ca_pem()
    readable = 0
    for position in range(0, len(good), 7):
        for damaged in (good[:position], good[:position] + b"A" + good[position + 1 :]):
            try:
                readable += bool(pem.certificates(damaged, "the file"))
            except KubeadmPyError:
                continue
    assert readable  # flips inside the signature leave a readable certificate
