"""Sign certificates with the extensions, their order, times and serials that kubeadm gives them."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from kubeadm_py.pki import names
from kubeadm_py.pki.keys import PrivateKey, PublicKey, signature_hash
from kubeadm_py.pki.requests import CertificateRequest

BACKDATE = timedelta(minutes=5)
"""How far NotBefore lies before the start of a run, for hosts whose clocks are a little behind."""

USAGES: dict[str, ObjectIdentifier] = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
}
"""The table's names of extended key usages."""

SerialSource = Callable[[], int]


def usage_oid(usage: str) -> ObjectIdentifier:
    """Return the identifier of an extended key usage, given by its name in USAGES or by its numbers."""
    return USAGES.get(usage) or ObjectIdentifier(usage)


def random_serial() -> int:
    """Return a serial number uniform in [1, 2^63-1)."""
    return secrets.randbelow(2**63 - 2) + 1


def self_signed(
    request: CertificateRequest, key: PrivateKey, *, now: datetime, serial: SerialSource = random_serial
) -> x509.Certificate:
    """Sign an authority with its own key; `now` is the start of the run."""
    name = names.subject(request.common_name, request.organizations)
    builder = _builder(request, name, name, key.public_key(), now - BACKDATE, now, serial)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_subject_key_identifier(key.public_key()), critical=False)
    return _with_names(builder, request).sign(key, signature_hash(key))


def sign(
    request: CertificateRequest,
    public_key: PublicKey,
    *,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    now: datetime,
    not_before: datetime | None = None,
    serial: SerialSource = random_serial,
) -> x509.Certificate:
    """Sign a leaf; `not_before` is for kubeconfigs, whose certificates start when their CA does."""
    starts = not_before if not_before is not None else now - BACKDATE
    subject = names.subject(request.common_name, request.organizations)
    builder = _builder(request, subject, issuer.subject, public_key, starts, now, serial)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    usages = x509.ExtendedKeyUsage([usage_oid(usage) for usage in request.usages])
    builder = builder.add_extension(usages, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    identifier = _issuer_key_identifier(issuer)
    if identifier is not None:
        builder = builder.add_extension(identifier, critical=False)
    return _with_names(builder, request).sign(issuer_key, signature_hash(issuer_key))


def _builder(
    request: CertificateRequest,
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
    not_before: datetime,
    now: datetime,
    serial: SerialSource,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial())
        .not_valid_before(_whole_seconds(not_before))
        .not_valid_after(_whole_seconds(now + request.validity))
    )


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _with_names(builder: x509.CertificateBuilder, request: CertificateRequest) -> x509.CertificateBuilder:
    listed: list[x509.GeneralName] = [x509.DNSName(name) for name in request.dns_names]
    listed += [x509.IPAddress(ipaddress.ip_address(address)) for address in request.ip_addresses]
    if not listed:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)


def _subject_key_identifier(key: PublicKey) -> x509.SubjectKeyIdentifier:
    """Use RFC 7093 method 1: SHA-1, the older method, is missing on FIPS hosts."""
    if isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 - narrows the union for mypy
        bits = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return x509.SubjectKeyIdentifier(hashlib.sha256(bits).digest()[:20])


def _issuer_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier | None:
    try:
        extension = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)
