"""Judge the certificates that a host carries: lifetime, chain, subject, names."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime, timedelta

from cryptography import x509

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.pki import inspect, pem
from kubeadm_py.pki.requests import ETCD_CA, etcd_authority
from kubeadm_py.verify import expected
from kubeadm_py.verify.checks import Problem

SOON = timedelta(days=7)
"""A certificate that ends within this time fails, or within a tenth of its lifetime where that is less."""


def expiry(found: Mapping[str, bytes], cluster: ResolvedCluster, node: Node, now: datetime) -> list[Problem]:
    """List the certificates that are not valid now or end soon."""
    problems = []
    for request in expected.certificates(cluster, node):
        path = expected.certificate_file(request)
        certificate = _first(found.get(path, b""))
        if certificate is None:
            continue
        starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        until = _text(ends)
        if now >= ends:
            problems.append(Problem(f"{path} expired at {until}", "a valid certificate", look=_dates(path)))
        elif now < starts:
            begin = _text(starts)
            problems.append(
                Problem(f"{path} is valid only from {begin} on", "a valid certificate", look="date")
            )
        elif ends - now < min(SOON, (ends - starts) / 10):
            problems.append(Problem(f"{path} ends at {until}", "a certificate that lasts", look=_dates(path)))
    return problems


def chain(
    found: Mapping[str, bytes], cluster: ResolvedCluster, node: Node, *, external: Container[str] = ()
) -> list[Problem]:
    """List the certificates that are unreadable or not what their place asks for.

    Missing files and lifetimes are other checks' matters: each certificate is looked at inside its own.
    Where an authority is `external`, the operator chose the subjects.
    """
    requests = expected.certificates(cluster, node)
    authorities = {"ca": cluster.ca_cert_path, ETCD_CA: etcd_authority(cluster).certificate_path}
    authorities |= {request.name: request.certificate_path for request in requests if request.is_authority}
    problems = []
    for request in requests:
        path = expected.certificate_file(request)
        if path not in found:
            continue
        certificate = _first(found[path])
        if certificate is None:
            problems.append(Problem(f"{path} holds no certificate", "a certificate", look=_show(path)))
            continue
        if request.is_authority:
            reasons, _ = inspect.authority_problems(found[path], _inside(certificate))
        elif authorities[request.signer] not in found:
            continue
        else:
            signer, moment = found[authorities[request.signer]], _inside(certificate)
            compared = request.signer not in external
            reasons = inspect.fits(found[path], request, signer, moment, compare_subject=compared)
        problems += [
            Problem(f"{path}: {reason}", "as pki/certificates.yaml says", look=_show(path))
            for reason in reasons
        ]
    return problems


def _dates(path: str) -> str:
    if not path.endswith(".conf"):
        return f"openssl x509 -noout -dates -in {path}"
    return f"sed -n 's/.*client-certificate-data: //p' {path} | base64 -d | openssl x509 -noout -dates"


def _show(path: str) -> str:
    return f"openssl x509 -noout -text -in {path}"


def _first(content: bytes) -> x509.Certificate | None:
    try:
        return pem.certificates(content, "the certificate")[0]
    except KubeadmPyError:
        return None


def _inside(certificate: x509.Certificate) -> datetime:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return starts + (ends - starts) / 2


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
