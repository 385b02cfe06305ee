"""Clusters, authorities and foreign CAs for the tests of certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import CertificateRequest, leaf_requests

MakeLeaf = Callable[..., x509.Certificate]


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 20, 22, 41, 14, 123456, tzinfo=UTC)


@pytest.fixture
def node() -> Node:
    return Node("cp1", Role.CONTROL_PLANE, ("10.99.0.11",))


@pytest.fixture
def cluster(node: Node) -> ResolvedCluster:
    """Return a cluster with small keys, so that tests are quick."""
    return ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(node, Node("w1", Role.WORKER, ("10.99.0.21",))),
        control_plane_endpoint="k8s.example.test:6443",
        encryption_algorithm="ECDSA-P256",
    )


@pytest.fixture
def authorities(cluster: ResolvedCluster, now: datetime) -> Iterator[Authorities]:
    with Authorities.from_fresh(cluster, now=now) as made:
        yield made


@pytest.fixture
def apiserver(cluster: ResolvedCluster, node: Node) -> CertificateRequest:
    (request,) = [each for each in leaf_requests(cluster, node) if each.name == "apiserver"]
    return request


@pytest.fixture
def other_authorities(cluster: ResolvedCluster, now: datetime) -> Iterator[Authorities]:
    """Return the authorities of another cluster, which have the same names."""
    with Authorities.from_fresh(replace(cluster, name="other"), now=now) as made:
        yield made


@pytest.fixture
def foreign(now: datetime) -> Callable[..., tuple[x509.Certificate, ec.EllipticCurvePrivateKey]]:
    """Return a maker of certificates as other tools make them: any subject, issuer and extensions."""

    def make(
        subject: str,
        issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
        extensions: tuple[x509.ExtensionType, ...] = (),
        starts: datetime | None = None,
        lifetime: timedelta = timedelta(days=30),
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
        begin = starts or now - timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer[0].subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + lifetime)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key

    return make
