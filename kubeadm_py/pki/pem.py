"""Read certificates from PEM and hash their public keys."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.digest import sha256
from kubeadm_py.pki.keys import PublicKey

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PUBLIC_KEY = re.compile(rb"-----BEGIN ((?:RSA )?PUBLIC KEY)-----.*?-----END \1-----", re.DOTALL)


def certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    """Read all certificates of a PEM file, the first one first; raise where there is none or one is broken.

    Text and other PEM blocks between them are skipped, as Go does. `what` names the file in the error.
    """
    blocks = _CERTIFICATE.findall(pem)
    if not blocks or pem.count(b"-----BEGIN CERTIFICATE-----") != len(blocks):
        found = "is cut off in the middle of a certificate" if b"-----BEGIN CERT" in pem else _content(pem)
        raise KubeadmPyError(f"{what} {found}", fix="Restore the file from a backup.")
    try:
        parsed = [x509.load_pem_x509_certificate(block) for block in blocks]
        for certificate in parsed:
            _read_all(certificate, what)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise KubeadmPyError(
            f"{what} holds a certificate that cannot be read", fix="Restore the file from a backup."
        ) from None
    return parsed


def encode(parsed: list[x509.Certificate]) -> bytes:
    """Encode certificates one after the other."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in parsed)


def public_key(certificate: x509.Certificate, what: str) -> PublicKey:
    """Return an RSA or ECDSA certificate's public key; raise for other kinds."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise KubeadmPyError(
            f"{what} holds a certificate whose key is neither RSA nor ECDSA",
            fix="Use a certificate with an RSA or ECDSA key.",
        )
    return key


def public_keys(pem: bytes, what: str) -> list[PublicKey]:
    """Read all public keys of a PEM file, certificates' own included; raise where there is none.

    API servers take several in one file, and check tokens with any of them.
    """
    try:
        found = [serialization.load_pem_public_key(each[0]) for each in _PUBLIC_KEY.finditer(pem)]
        found += [x509.load_pem_x509_certificate(block).public_key() for block in _CERTIFICATE.findall(pem)]
    except (ValueError, UnsupportedAlgorithm):
        found = []
    keys = [key for key in found if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)]
    if not keys:
        raise KubeadmPyError(f"{what} holds no public key in PEM form", fix="Restore it from a backup.")
    return keys


def public_key_hash(certificate: x509.Certificate) -> str:
    """Return the discovery hash `sha256:HEX` of the DER SubjectPublicKeyInfo (kubeadm contract 8.1)."""
    der = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{sha256(der)}"


def public_key_sha256(pem: bytes) -> str:
    """Return the discovery hash of the first certificate in `pem`."""
    return public_key_hash(certificates(pem, "the CA certificate")[0])


def public_key_hashes(pem: bytes) -> list[str]:
    """Return the discovery hash of every certificate of a CA bundle, without repeats."""
    hashed = [public_key_hash(certificate) for certificate in certificates(pem, "the CA bundle")]
    return list(dict.fromkeys(hashed))


def _read_all(certificate: x509.Certificate, what: str) -> None:
    """Touch what cryptography decodes late, so that a broken certificate is found here and nowhere else."""
    public_key(certificate, what)
    _ = (certificate.subject, certificate.issuer, certificate.not_valid_before_utc)
    _ = (certificate.not_valid_after_utc, certificate.extensions)


def _content(pem: bytes) -> str:
    return "holds no certificate in PEM form" if pem.strip() else "is empty"
