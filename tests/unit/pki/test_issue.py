from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.pki import issue, keys, names, pem
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import CertificateRequest, kubeconfig_requests, leaf_requests, requests

KEY_USAGE, EXTENDED, CONSTRAINTS, SKI, AKI, SAN = (
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.BasicConstraints,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
    x509.SubjectAlternativeName,
)


def certificate(authorities: Authorities, request: CertificateRequest) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authorities.sign(request)[0])


def extensions(found: x509.Certificate) -> list[tuple[type, bool]]:
    return [(type(extension.value), extension.critical) for extension in found.extensions]


def test_extensions_in_the_order_of_go(
    authorities: Authorities, cluster: ResolvedCluster, node: Node
) -> None:
    by_name = {request.name: request for request in requests(cluster, node)}
    assert extensions(certificate(authorities, by_name["ca"])) == [
        (KEY_USAGE, True),
        (CONSTRAINTS, True),
        (SKI, False),
        (SAN, False),
    ]
    assert extensions(certificate(authorities, by_name["apiserver"])) == [
        (KEY_USAGE, True),
        (EXTENDED, False),
        (CONSTRAINTS, True),
        (AKI, False),
        (SAN, False),
    ]
    assert SAN not in [
        kind for kind, _ in extensions(certificate(authorities, by_name["front-proxy-client"]))
    ]


@pytest.mark.parametrize("algorithm", ["RSA-2048", "ECDSA-P256", "ECDSA-P384"])
def test_key_identifiers_agree(cluster: ResolvedCluster, node: Node, now: datetime, algorithm: str) -> None:
    with Authorities.from_fresh(replace(cluster, encryption_algorithm=algorithm), now=now) as authorities:
        request = leaf_requests(replace(cluster, encryption_algorithm=algorithm), node)[0]
        leaf = certificate(authorities, request)
        (authority,) = pem.certificates(authorities.ca_pem(), "ca")
    identifier = authority.extensions.get_extension_for_class(SKI).value.digest
    # The identifier is of the bits in the SubjectPublicKeyInfo: what follows its last BIT STRING header.
    der = authority.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert identifier in {hashlib.sha256(der[start:]).digest()[:20] for start in range(40)}
    assert leaf.extensions.get_extension_for_class(AKI).value.key_identifier == identifier
    assert leaf.extensions.get_extension_for_class(AKI).value.authority_cert_issuer is None


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [("RSA-2048", hashes.SHA256), ("ECDSA-P256", hashes.SHA256), ("ECDSA-P384", hashes.SHA384)],
)
def test_signature_hash_as_go_chooses_it(algorithm: str, expected: type) -> None:
    assert isinstance(keys.signature_hash(keys.generate(algorithm)), expected)


def test_a_foreign_p521_authority_signs_with_sha512() -> None:
    assert isinstance(keys.signature_hash(ec.generate_private_key(ec.SECP521R1())), hashes.SHA512)


def test_times(authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime) -> None:
    start = now.replace(microsecond=0)
    by_name = {request.name: request for request in requests(cluster, node)}
    for name, period in (("ca", 87600), ("apiserver", 8760)):
        found = certificate(authorities, by_name[name])
        assert found.not_valid_before_utc == start - timedelta(minutes=5)
        assert found.not_valid_after_utc == start + timedelta(hours=period)


def test_a_kubeconfigs_certificate_starts_when_its_ca_does(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime
) -> None:
    ca_pem, key = authorities.sign(requests(cluster, node)[0])
    later = now + timedelta(days=100)
    with Authorities.from_existing({"ca": (ca_pem, key)}, now=later) as reused:
        request = kubeconfig_requests(cluster, node)[0]
        reused.kubeconfig(request)
        found = x509.load_pem_x509_certificate(reused._issued[request].public_pem)
        leaf = certificate(reused, leaf_requests(cluster, node)[0])
    assert found.not_valid_before_utc == now.replace(microsecond=0) - timedelta(minutes=5)
    assert found.not_valid_after_utc == later.replace(microsecond=0) + timedelta(hours=8760)
    assert leaf.not_valid_before_utc == later.replace(microsecond=0) - timedelta(minutes=5)


def test_the_serial_source_is_used(cluster: ResolvedCluster, node: Node, now: datetime) -> None:
    serials = iter(range(1, 100))
    with Authorities.from_fresh(cluster, now=now, serial=lambda: next(serials)) as authorities:
        leaf = certificate(authorities, leaf_requests(cluster, node)[0])
    assert leaf.serial_number == 2


def test_serials_are_positive_and_fit_in_63_bits() -> None:
    drawn = {issue.random_serial() for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(1 <= serial < 2**63 - 1 for serial in drawn)
    assert max(drawn) > 2**60


def test_several_organizations_share_one_relative_name(apiserver: CertificateRequest) -> None:
    subject = names.subject("user", ["b", "a", "b"])
    assert [len(list(part)) for part in subject.rdns] == [2, 1]
    assert names.organizations(subject) in {("b", "a"), ("a", "b")}
    assert names.text(names.subject("user", ["dev"])) == "CN=user, O=dev"
    assert names.text(x509.Name([])) == "CN="


@pytest.mark.filterwarnings("ignore:Attribute's length must be")
def test_a_name_longer_than_x520_allows_works_as_in_go(
    authorities: Authorities, apiserver: CertificateRequest
) -> None:
    long = "system:node:" + "n" * 100
    found = certificate(authorities, replace(apiserver, common_name=long))
    assert names.common_name(found.subject) == long


def test_an_authority_without_a_key_identifier_gives_none(
    foreign, apiserver: CertificateRequest, now: datetime
) -> None:
    authority, key = foreign("old-ca", extensions=(x509.BasicConstraints(ca=True, path_length=None),))
    leaf_key = keys.generate("ECDSA-P256").public_key()
    leaf = issue.sign(apiserver, leaf_key, issuer=authority, issuer_key=key, now=now)
    assert AKI not in [kind for kind, _ in extensions(leaf)]
    leaf.verify_directly_issued_by(authority)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("algorithm", ["RSA-2048", "ECDSA-P384"])
def test_openssl_accepts_what_we_sign(
    cluster: ResolvedCluster, node: Node, now: datetime, tmp_path: Path, algorithm: str
) -> None:
    chosen = replace(cluster, encryption_algorithm=algorithm)
    purposes = {"serverAuth": "sslserver", "clientAuth": "sslclient"}
    with Authorities.from_fresh(chosen, now=now) as authorities:
        for request in leaf_requests(chosen, node):
            (tmp_path / "ca.crt").write_bytes(authorities.ca_pem(request.signer))
            (tmp_path / "leaf.crt").write_bytes(authorities.sign(request)[0])
            for usage in request.usages:
                command = ["openssl", "verify", "-x509_strict", "-attime", str(int(now.timestamp()))]
                command += ["-purpose", purposes[usage], "-CAfile", str(tmp_path / "ca.crt")]
                for address in request.ip_addresses[:1]:
                    command += ["-verify_ip", address]
                for name in request.dns_names[:1]:
                    command += ["-verify_hostname", name]
                ran = subprocess.run([*command, str(tmp_path / "leaf.crt")], capture_output=True, text=True)
                assert ran.returncode == 0, (request.name, ran.stdout, ran.stderr)
