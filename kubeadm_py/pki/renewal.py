"""Ask anew for what a host has: as it is, with a new key and a new end (kubeadm contract 4.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect, kubeconfig, names, pem
from kubeadm_py.pki.issue import USAGES
from kubeadm_py.pki.requests import CertificateRequest


def successor(certificate_pem: bytes, request: CertificateRequest) -> CertificateRequest:
    """Return the request for a certificate's successor.

    Subject, names and usages are those of the certificate, so that a renewal changes nothing else; lifetime,
    algorithm and signer are `request`'s. Raise KubeadmPyError for what is no certificate.
    """
    leaf = pem.certificates(certificate_pem, request.name)[0]
    dns_names, ip_addresses = inspect.subject_alternative_names(leaf)
    known = {oid: name for name, oid in USAGES.items()}
    usages = inspect.extended_usages(leaf)
    return replace(
        request,
        common_name=names.common_name(leaf.subject),
        organizations=names.organizations(leaf.subject),
        dns_names=tuple(dns_names),
        ip_addresses=tuple(ip_addresses),
        usages=tuple(known.get(oid, oid.dotted_string) for oid in usages) or request.usages,
    )


def embedded_certificate(content: bytes, what: str) -> bytes | None:
    """Return the client certificate that a kubeconfig's current context logs in with; None: it holds none.

    Raise KubeadmPyError for what is no kubeconfig.
    """
    user = _current(kubeconfig.load(content, what))[1]
    data = user.get("client-certificate-data")
    return kubeconfig.decoded(data, "client-certificate-data", what) if data else None


def renewed_kubeconfig(content: bytes, ca_pem: bytes, certificate: bytes, key: Secret, what: str) -> bytes:
    """Return a kubeconfig with another client certificate, its key and the CA; the rest stays as it is."""
    document = kubeconfig.load(content, what)
    cluster, user = _current(document)
    cluster["certificate-authority-data"] = kubeconfig.encoded(ca_pem)
    user["client-certificate-data"] = kubeconfig.encoded(certificate)
    user["client-key-data"] = kubeconfig.encoded(key.reveal())
    for name in ("client-certificate", "client-key"):
        user.pop(name, None)
    return kubeconfig.dump({name: value for name, value in document.items() if value is not None})


def _current(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    context = kubeconfig.entry(document, "contexts", document.get("current-context") or "")
    inner = context["context"] if context else {}
    cluster = kubeconfig.entry(document, "clusters", str(inner.get("cluster", "")))
    user = kubeconfig.entry(document, "users", str(inner.get("user", "")))
    if cluster is None or user is None:
        raise KubeadmPyError(
            "the kubeconfig has no current context with a cluster and a user",
            fix="correct it by hand, or remove it: init makes it anew",
        )
    return cluster["cluster"], user["user"]
