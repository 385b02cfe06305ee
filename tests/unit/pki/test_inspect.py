from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.pki import inspect, keys, pem
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import CertificateRequest, leaf_requests

CA = x509.BasicConstraints(ca=True, path_length=None)
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@pytest.fixture
def issued(authorities: Authorities, apiserver: CertificateRequest) -> bytes:
    return authorities.sign(apiserver)[0]


def test_what_we_issue_fits(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime
) -> None:
    for request in leaf_requests(cluster, node):
        found = authorities.sign(request)[0]
        assert inspect.fits(found, request, authorities.ca_pem(request.signer), now) == []


def test_another_ca_of_the_same_name(
    authorities: Authorities, other_authorities: Authorities, apiserver: CertificateRequest, now: datetime
) -> None:
    found = other_authorities.sign(apiserver)[0]
    assert inspect.fits(found, apiserver, authorities.ca_pem(), now) == [
        "it is not signed by the CA CN=kubernetes but by another one of the same name"
    ]


def test_another_ca(authorities: Authorities, apiserver: CertificateRequest, now: datetime) -> None:
    found = authorities.sign(apiserver)[0]
    assert inspect.fits(found, apiserver, authorities.ca_pem("etcd-ca"), now) == [
        "it is signed by CN=kubernetes, not by the CA CN=etcd-ca"
    ]


def test_any_ca_of_a_bundle_will_do(
    authorities: Authorities, other_authorities: Authorities, apiserver: CertificateRequest, now: datetime
) -> None:
    bundle = other_authorities.ca_pem() + authorities.ca_pem()
    assert inspect.fits(authorities.sign(apiserver)[0], apiserver, bundle, now) == []


def test_subject(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    wanted = replace(apiserver, common_name="other", organizations=("group",))
    ca_pem = authorities.ca_pem()
    assert inspect.fits(issued, wanted, ca_pem, now) == [
        "its subject is CN=kube-apiserver, not CN=other, O=group"
    ]
    assert inspect.fits(issued, wanted, ca_pem, now, compare_subject=False) == []


def test_missing_names_are_listed_together(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    wanted = replace(
        apiserver,
        dns_names=(*apiserver.dns_names, "new.example.test"),
        ip_addresses=(*apiserver.ip_addresses, "192.0.2.7"),
    )
    assert inspect.fits(issued, wanted, authorities.ca_pem(), now) == [
        "it is not for new.example.test, 192.0.2.7"
    ]


def test_more_names_than_wanted_are_fine(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    wanted = replace(apiserver, dns_names=("KUBERNETES",), ip_addresses=())
    assert inspect.fits(issued, wanted, authorities.ca_pem(), now) == []


@pytest.mark.parametrize(
    ("name", "covered"),
    [("a.example.test", True), ("A.Example.Test", True), ("a.b.example.test", False), ("example", False)],
)
def test_a_wildcard_covers_one_label(
    authorities: Authorities, apiserver: CertificateRequest, now: datetime, name: str, covered: bool
) -> None:
    found = authorities.sign(replace(apiserver, dns_names=("*.example.test",)))[0]
    reasons = inspect.fits(found, replace(apiserver, dns_names=(name,)), authorities.ca_pem(), now)
    assert reasons == ([] if covered else [f"it is not for {name}"])


def test_usages(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    wanted = replace(apiserver, usages=("serverAuth", "clientAuth"))
    assert inspect.fits(issued, wanted, authorities.ca_pem(), now) == ["it lacks the usage clientAuth"]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (timedelta(minutes=-6), "it is not valid before 2026-11-20T22:36:14Z"),
        (timedelta(hours=8760), "it expired at 2027-11-20T22:41:14Z"),
        (timedelta(hours=8760, days=-29), "it expires at 2027-11-20T22:41:14Z, in less than 30 days"),
        (timedelta(hours=8760, days=-31), None),
    ],
)
def test_lifetime(
    authorities: Authorities,
    apiserver: CertificateRequest,
    issued: bytes,
    now: datetime,
    at: timedelta,
    reason: str | None,
) -> None:
    reasons = inspect.fits(issued, apiserver, authorities.ca_pem(), now + at, timedelta(days=30))
    assert reasons == ([reason] if reason else [])


def test_a_short_minimum_is_said_in_hours(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    at = now + timedelta(hours=8759, minutes=30)
    (reason,) = inspect.fits(issued, apiserver, authorities.ca_pem(), at, timedelta(hours=1))
    assert reason.endswith("in less than 1 hour")


def test_unreadable_files_are_reasons(
    authorities: Authorities, apiserver: CertificateRequest, issued: bytes, now: datetime
) -> None:
    assert inspect.fits(b"", apiserver, authorities.ca_pem(), now) == ["the certificate is empty"]
    assert inspect.fits(issued[:200], apiserver, authorities.ca_pem(), now) == [
        "the certificate is cut off in the middle of a certificate"
    ]
    assert inspect.fits(issued, apiserver, b"junk", now) == [
        "the CA certificate holds no certificate in PEM form"
    ]


def request_for(name: str, apiserver: CertificateRequest) -> CertificateRequest:
    return replace(apiserver, common_name=name, dns_names=(), ip_addresses=())


def test_intermediates_in_the_file_are_followed(
    foreign, apiserver: CertificateRequest, now: datetime
) -> None:
    root = foreign("root", extensions=(CA,))
    middle = foreign("middle", root, extensions=(CA,))
    lower = foreign("lower", middle, extensions=(CA,))
    leaf = foreign("leaf", lower, extensions=(SERVER,))
    wanted = request_for("leaf", apiserver)
    root_pem = pem.encode([root[0]])
    assert inspect.fits(pem.encode([leaf[0], middle[0], lower[0]]), wanted, root_pem, now) == []
    assert inspect.fits(pem.encode([leaf[0], lower[0]]), wanted, root_pem, now) == [
        "it is signed by CN=lower, not by the CA CN=root"
    ]


def test_an_intermediate_that_is_no_ca_or_is_expired_does_not_count(
    foreign, apiserver: CertificateRequest, now: datetime
) -> None:
    root = foreign("root", extensions=(CA,))
    wanted, root_pem = request_for("leaf", apiserver), pem.encode([root[0]])
    plain = foreign("middle", root)
    leaf = foreign("leaf", plain)
    assert inspect.fits(pem.encode([leaf[0], plain[0]]), wanted, root_pem, now) == [
        "it is signed by CN=middle, not by the CA CN=root"
    ]
    old = foreign("old", root, (CA,), starts=now - timedelta(days=40), lifetime=timedelta(days=2))
    leaf = foreign("leaf", old)
    assert inspect.fits(pem.encode([leaf[0], old[0]]), wanted, root_pem, now) == [
        "its intermediate CN=old is not valid at this time"
    ]


def test_a_long_chain_ends(foreign, apiserver: CertificateRequest, now: datetime) -> None:
    chain = [foreign("root", extensions=(CA,))]
    for number in range(12):
        chain.append(foreign(f"ca{number}", chain[-1], extensions=(CA,)))
    leaf = foreign("leaf", chain[-1])
    bundle = pem.encode([leaf[0], *(each[0] for each in reversed(chain[1:]))])
    reasons = inspect.fits(bundle, request_for("leaf", apiserver), pem.encode([chain[0][0]]), now)
    assert reasons == ["it is signed by CN=ca11, not by the CA CN=root"]


def test_usages_that_do_not_restrict(foreign, apiserver: CertificateRequest, now: datetime) -> None:
    root = foreign("root", extensions=(CA,))
    wanted, root_pem = request_for("leaf", apiserver), pem.encode([root[0]])
    anything = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    for extensions in ((), (anything,)):
        leaf = foreign("leaf", root, extensions)
        assert inspect.fits(pem.encode([leaf[0]]), wanted, root_pem, now) == []


def test_a_leaf_that_may_not_sign_a_handshake(foreign, apiserver: CertificateRequest, now: datetime) -> None:
    root = foreign("root", extensions=(CA,))
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    leaf = foreign("leaf", root, (usage, SERVER))
    reasons = inspect.fits(pem.encode([leaf[0]]), request_for("leaf", apiserver), pem.encode([root[0]]), now)
    assert reasons == ["it lacks the usage digitalSignature"]


def test_authorities_are_only_checked_for_being_one(
    authorities: Authorities, apiserver: CertificateRequest, foreign, now: datetime
) -> None:
    assert inspect.authority_problems(authorities.ca_pem(), now) == ([], [])
    errors, warnings = inspect.authority_problems(authorities.ca_pem(), now + timedelta(days=4000))
    assert (errors, warnings) == ([], ["it expired at 2036-11-17T22:41:14Z"])
    errors, _ = inspect.authority_problems(authorities.sign(apiserver)[0], now)
    assert errors == ["CN=kube-apiserver is not a CA certificate"]
    errors, _ = inspect.authority_problems(pem.encode([foreign("old style")[0]]), now)
    assert errors == ["CN=old style is not a CA certificate"]
    assert inspect.authority_problems(b"junk", now) == (
        ["the CA certificate holds no certificate in PEM form"],
        [],
    )


def test_key_matches(authorities: Authorities, apiserver: CertificateRequest) -> None:
    certificate, key = authorities.sign(apiserver)
    assert inspect.key_matches(certificate, key)
    assert not inspect.key_matches(certificate, keys.private_pem(keys.generate("ECDSA-P256")))
    with pytest.raises(KubeadmPyError, match="the key is not a private key"):
        inspect.key_matches(certificate, b"junk")


def test_describe(authorities: Authorities, apiserver: CertificateRequest) -> None:
    certificate, _ = authorities.sign(replace(apiserver, organizations=("group",)))
    described = inspect.describe(certificate)
    assert described.pop("publicKey").startswith("sha256:")
    assert described == {
        "subject": "CN=kube-apiserver, O=group",
        "issuer": "CN=kubernetes",
        "sans": [*apiserver.dns_names, *apiserver.ip_addresses],
        "usages": ["serverAuth"],
        "notBefore": "2026-11-20T22:36:14Z",
        "notAfter": "2027-11-20T22:41:14Z",
        "isCA": False,
        "key": "ECDSA-P256",
    }
    assert inspect.describe(authorities.ca_pem())["isCA"] is True


def test_describe_names_unknown_usages_by_number(foreign) -> None:
    usage = x509.ExtendedKeyUsage([ObjectIdentifier("1.2.3.4")])
    described = inspect.describe(pem.encode([foreign("leaf", extensions=(usage,))[0]]))
    assert described["usages"] == ["1.2.3.4"]
    assert described["sans"] == []


def test_discovery_hash_is_what_openssl_computes(authorities: Authorities) -> None:
    """The documented recipe: openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256."""
    import hashlib
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    public = subprocess.run(
        ["openssl", "x509", "-pubkey", "-noout"], input=authorities.ca_pem(), capture_output=True, check=True
    ).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True, check=True
    ).stdout
    assert pem.public_key_sha256(authorities.ca_pem()) == f"sha256:{hashlib.sha256(der).hexdigest()}"


def test_each_ca_of_a_bundle_has_its_hash_once(
    authorities: Authorities, other_authorities: Authorities
) -> None:
    one, other = authorities.ca_pem(), other_authorities.ca_pem()
    assert pem.public_key_hashes(one + other + one) == [
        pem.public_key_sha256(one),
        pem.public_key_sha256(other),
    ]
