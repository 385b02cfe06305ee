from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kubeadm_py.model import paths
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.verify import certificates

CRT = f"{paths.PKI_DIR}/apiserver.crt"


@pytest.fixture
def node(cluster):
    return cluster.nodes[0]


@pytest.fixture
def found(cluster, pems):
    return dict(pems["cp1"])


def test_fresh_certificates_are_fine(found, cluster, node):
    assert certificates.expiry(found, cluster, node, datetime.now(UTC)) == []
    assert certificates.chain(found, cluster, node) == []


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        (timedelta(days=366), "expired at"),
        (timedelta(days=359), "ends at"),
        (timedelta(days=-2), "is valid only from"),
    ],
)
def test_lifetimes(moment, says, found, cluster, node):
    problems = certificates.expiry(found, cluster, node, datetime.now(UTC) + moment)
    assert any(says in problem.found and CRT in problem.found for problem in problems)
    assert certificates.expiry(found, cluster, node, datetime.now(UTC) + timedelta(days=350)) == []


def test_a_certificate_of_another_cluster_is_found(found, cluster, node):
    with Authorities.from_fresh(cluster, now=datetime.now(UTC)) as other:
        (request,) = [each for each in _requests(cluster, node) if each.name == "apiserver"]
        found[CRT] = other.issue(request).public_pem
    (problem,) = certificates.chain(found, cluster, node)
    assert problem.found == (
        f"{CRT}: it is not signed by the CA CN=kubernetes but by another one of the same name"
    )
    assert problem.look == f"openssl x509 -noout -text -in {CRT}"


def test_a_subject_counts_unless_the_operator_chose_it(found, cluster, node):
    found[f"{paths.PKI_DIR}/apiserver-kubelet-client.crt"] = found["/etc/kubernetes/admin.conf"]
    assert len(certificates.chain(found, cluster, node)) == 1
    assert certificates.chain(found, cluster, node, external=["ca"]) == []
    assert len(certificates.chain(found, cluster, node, external=["etcd-ca"])) == 1


def test_an_authority_that_is_none(found, cluster, node):
    found[f"{paths.PKI_DIR}/front-proxy-ca.crt"] = found[CRT]
    said = [problem.found for problem in certificates.chain(found, cluster, node)]
    assert any("is not a CA certificate" in text for text in said)


def test_an_unreadable_file_is_the_chains_matter_and_a_missing_one_the_files(found, cluster, node):
    found[CRT] = b"no certificate at all"
    del found[f"{paths.PKI_DIR}/etcd/ca.crt"]
    assert [problem.found for problem in certificates.chain(found, cluster, node)] == [
        f"{CRT} holds no certificate"
    ]
    assert certificates.expiry(found, cluster, node, datetime.now(UTC)) == []


def _requests(cluster, node):
    from kubeadm_py.verify import expected

    return expected.certificates(cluster, node)
