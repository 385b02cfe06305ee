"""Say why a certificate or kubeconfig on a host is not the one that is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import times
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import keys, names, pem
from kubeadm_py.pki.issue import USAGES
from kubeadm_py.pki.requests import CertificateRequest, subject_text

_MAXIMUM_CHAIN = 8
NO_MINIMUM = timedelta(0)


def fits(
    certificate_pem: bytes,
    request: CertificateRequest,
    ca_pem: bytes,
    now: datetime,
    minimum_remaining: timedelta = NO_MINIMUM,
    *,
    compare_subject: bool = True,
) -> list[str]:
    """List the reasons why a leaf is not what `request` asks for; empty: it is already so.

    More SANs and usages than wanted are fine, as kubeadm has it. Intermediates may follow the leaf.
    `compare_subject=False` is for external-CA mode, where the operator chose the subject.
    """
    try:
        leaf, *intermediates = pem.certificates(certificate_pem, "the certificate")
        trusted = pem.certificates(ca_pem, "the CA certificate")
    except KubeadmPyError as error:
        return [error.summary]
    reasons = [*_chain_reasons(leaf, intermediates, trusted, now)]
    if compare_subject:
        reasons += _subject_reasons(leaf, request)
    return [
        *reasons,
        *_usage_reasons(leaf, request),
        *_name_reasons(leaf, request),
        *_lifetime_reasons(leaf, now, minimum_remaining),
    ]


def authority_problems(ca_pem: bytes, now: datetime) -> tuple[list[str], list[str]]:
    """Return (errors, warnings) of a CA that is used as it is: only IsCA is an error, time warns.

    The first certificate of the file is the one that signs (kubeadm contract 4.3).
    """
    try:
        authority = pem.certificates(ca_pem, "the CA certificate")[0]
    except KubeadmPyError as error:
        return [error.summary], []
    errors = [] if is_authority(authority) else [f"{names.text(authority.subject)} is not a CA certificate"]
    return errors, _lifetime_reasons(authority, now, NO_MINIMUM)


def is_authority(certificate: x509.Certificate) -> bool:
    """Say whether a certificate's basic constraints make it a CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def key_matches(certificate_pem: bytes, key_pem: bytes | Secret) -> bool:
    """Say whether a private key belongs to the first certificate; raise where one cannot be read."""
    certificate = pem.certificates(certificate_pem, "the certificate")[0]
    key = keys.parse_private(key_pem, "the key")
    return keys.same_key(pem.public_key(certificate, "the certificate"), key.public_key())


def describe(certificate_pem: bytes) -> dict[str, Any]:
    """Return what a plan or a table may show of a certificate; times are RFC 3339 in UTC."""
    certificate = pem.certificates(certificate_pem, "the certificate")[0]
    dns_names, ip_addresses = subject_alternative_names(certificate)
    known = {oid: name for name, oid in USAGES.items()}
    return {
        "subject": names.text(certificate.subject),
        "issuer": names.text(certificate.issuer),
        "sans": [*dns_names, *ip_addresses],
        "usages": [known.get(oid, oid.dotted_string) for oid in extended_usages(certificate)],
        "notBefore": times.rfc3339(certificate.not_valid_before_utc),
        "notAfter": times.rfc3339(certificate.not_valid_after_utc),
        "isCA": is_authority(certificate),
        "key": keys.algorithm_of(pem.public_key(certificate, "the certificate")),
        "publicKey": pem.public_key_hash(certificate),
    }


def subject_alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """Return (DNS names, IP addresses) in the certificate's order."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return [], []
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return extension.value.get_values_for_type(x509.DNSName), [str(address) for address in addresses]


def missing_names(certificate: x509.Certificate, request: CertificateRequest) -> list[str]:
    """List the names and addresses that `request` asks for and that the certificate is not for."""
    dns_names, addresses = subject_alternative_names(certificate)
    missing = [name for name in request.dns_names if not _covers(dns_names, name)]
    return missing + [address for address in request.ip_addresses if address not in addresses]


def missing_from(certificate_pem: bytes, request: CertificateRequest) -> list[str]:
    """List the names that `request` asks for and the first certificate lacks; all where it cannot be read."""
    try:
        return missing_names(pem.certificates(certificate_pem, request.name)[0], request)
    except KubeadmPyError:
        return [*request.dns_names, *request.ip_addresses]


def names_of(certificate_pem: bytes) -> tuple[list[str], list[str]]:
    """Return (DNS names, IP addresses) of the first certificate; none where it cannot be read."""
    try:
        return subject_alternative_names(pem.certificates(certificate_pem, "the certificate")[0])
    except KubeadmPyError:
        return [], []


def extended_usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    """Return the extended key usages in the certificate's order; empty where it does not restrict them."""
    try:
        return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return []


def _chain_reasons(
    leaf: x509.Certificate,
    intermediates: list[x509.Certificate],
    trusted: list[x509.Certificate],
    now: datetime,
) -> list[str]:
    current, steps = leaf, 0
    remaining = list(intermediates)
    while steps < _MAXIMUM_CHAIN:
        if any(_issued(current, authority) for authority in trusted):
            return []
        above = next((each for each in remaining if is_authority(each) and _issued(current, each)), None)
        if above is None:
            break
        if not above.not_valid_before_utc <= now < above.not_valid_after_utc:
            return [f"its intermediate {names.text(above.subject)} is not valid at this time"]
        remaining.remove(above)
        current, steps = above, steps + 1
    wanted = names.text(trusted[0].subject)
    issuer = names.text(leaf.issuer)
    if issuer == wanted:
        return [f"it is not signed by the CA {wanted} but by another one of the same name"]
    return [f"it is signed by {issuer}, not by the CA {wanted}"]


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _subject_reasons(leaf: x509.Certificate, request: CertificateRequest) -> list[str]:
    found = (names.common_name(leaf.subject), frozenset(names.organizations(leaf.subject)))
    if found == (request.common_name, frozenset(request.organizations)):
        return []
    return [f"its subject is {names.text(leaf.subject)}, not {subject_text(request)}"]


def _usage_reasons(leaf: x509.Certificate, request: CertificateRequest) -> list[str]:
    present, key_usage = extended_usages(leaf), _key_usage(leaf)
    reasons = []
    if present and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in present:
        missing = [usage for usage in request.usages if USAGES[usage] not in present]
        reasons += [f"it lacks the usage {usage}" for usage in missing]
    if key_usage is not None and not key_usage.digital_signature:
        reasons.append("it lacks the usage digitalSignature")
    return reasons


def _key_usage(leaf: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _name_reasons(leaf: x509.Certificate, request: CertificateRequest) -> list[str]:
    missing = missing_names(leaf, request)
    return [f"it is not for {', '.join(missing)}"] if missing else []


def _covers(patterns: Iterable[str], name: str) -> bool:
    wanted = name.lower()
    present = {pattern.lower() for pattern in patterns}
    _, dot, parent = wanted.partition(".")
    return wanted in present or (bool(dot) and f"*.{parent}" in present)


def _lifetime_reasons(certificate: x509.Certificate, now: datetime, minimum: timedelta) -> list[str]:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < starts:
        return [f"it is not valid before {times.rfc3339(starts)}"]
    if now >= ends:
        return [f"it expired at {times.rfc3339(ends)}"]
    if ends - now < minimum:
        return [f"it expires at {times.rfc3339(ends)}, in less than {_days_text(minimum)}"]
    return []


def _days_text(duration: timedelta) -> str:
    amount, unit = (duration.days, "day") if duration.days else (duration.total_seconds() / 3600, "hour")
    return f"{amount:g} {unit}" if amount == 1 else f"{amount:g} {unit}s"
