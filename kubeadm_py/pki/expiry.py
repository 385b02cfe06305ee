"""List when a host's certificates end, as `certs check-expiration` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths, times
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import pem, presence, renewal
from kubeadm_py.pki.presence import Presence
from kubeadm_py.pki.requests import (
    CertificateRequest,
    KubeconfigRequest,
    etcd_client_requests,
    host_authorities,
    kubeconfig_requests,
    leaf_requests,
)

OUTPUT_API_VERSION = "output.kubeadm.k8s.io/v1alpha3"
COLUMNS = ("CERTIFICATE", "EXPIRES", "RESIDUAL TIME", "CERTIFICATE AUTHORITY", "EXTERNALLY MANAGED")
AUTHORITY_COLUMNS = ("CERTIFICATE AUTHORITY", "EXPIRES", "RESIDUAL TIME", "EXTERNALLY MANAGED")


@dataclass(frozen=True, slots=True)
class Expiry:
    """Hold one line of the table."""

    name: str
    path: str
    expires: datetime | None
    """None: there is no certificate."""
    authority: str = ""
    """What signed it; empty for an authority itself."""
    external: bool = False
    """Whether the key that could renew it is not on the host."""
    broken: bool = False
    """Whether the file is there and no certificate can be read from it."""

    def cells(self, now: datetime) -> tuple[str, ...]:
        """Return the cells under COLUMNS, or of an authority under AUTHORITY_COLUMNS."""
        signer = (self.authority,) if self.authority else ()
        if self.expires is None:
            what = "!UNREADABLE!" if self.broken else "!MISSING!"
            return (f"{what} {self.name}", "", "", *("" for _ in signer), "")
        external = "yes" if self.external else "no"
        return (self.name, day(self.expires), times.short_duration(self.expires - now), *signer, external)

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return kubeadm's object for it."""
        missing = self.expires is None and not self.broken
        document: dict[str, Any] = {
            "name": self.name,
            "expirationDate": times.rfc3339(self.expires) if self.expires else None,
            "residualTime": int((self.expires - now).total_seconds()) if self.expires else 0,
            "externallyManaged": self.external and self.expires is not None,
        }
        if self.authority and not missing:
            document["caName"] = self.authority
        return document | {"missing": missing}


@dataclass(frozen=True, slots=True)
class Identity:
    """Hold what tells one certificate from another, and its end."""

    sha256: str
    serial: str
    """In hex, as openssl prints it."""
    expires: datetime


def of_der(der: bytes) -> Identity:
    """Identify a certificate as it comes over the wire; raise ValueError for what is none."""
    return _identity(x509.load_der_x509_certificate(der))


def of_file(fact: FileFact | None) -> Identity | None:
    """Identify the first certificate of a file; None where there is none."""
    if fact is None or not fact.content:
        return None
    try:
        return _identity(pem.certificates(fact.content, fact.path)[0])
    except KubeadmPyError:
        return None


def _identity(certificate: x509.Certificate) -> Identity:
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    number = certificate.serial_number
    serial = number.to_bytes((number.bit_length() + 7) // 8).hex().upper()
    return Identity(digest, serial, certificate.not_valid_after_utc)


def kubelets_end(node: Node, files: Mapping[str, FileFact], now: datetime) -> datetime | None:
    """Return when the certificate ended that a member's kubelet logs in with; None where it has not."""
    login = files.get(paths.KUBELET_CONF)
    current = node.kubelet_client_certificate
    if login is None or current.encode() not in (login.content or b""):
        return None
    found = of_file(files.get(current))
    return found.expires if found is not None and found.expires <= now else None


def day(moment: datetime) -> str:
    """Return a time as kubeadm's table writes it: `Nov 21, 2027 06:11 UTC`."""
    return moment.strftime("%b %d, %Y %H:%M UTC")


def certificates(cluster: ResolvedCluster, node: Node, files: Mapping[str, FileFact]) -> list[Expiry]:
    """List the certificates that can be renewed, by name; kubelet.conf is the kubelet's own matter."""
    states = presence.authorities(cluster, files)
    listed = []
    for request in (*leaf_requests(cluster, node), *etcd_client_requests(cluster, node)):
        # What signs a control plane's way to etcd's own hosts has its key there, in our hands.
        external = states.get(request.signer) is Presence.EXTERNAL
        listed.append(_of_request(request, files, request.signer, external))
    for name, kubeconfig in renewable_kubeconfigs(cluster, node).items():
        if kubeconfig.path != paths.KUBELET_CONF:
            external = states["ca"] is Presence.EXTERNAL
            fact = files.get(kubeconfig.path)
            ends = _kubeconfig_ends(fact)
            broken = fact is not None and ends is None
            listed.append(Expiry(name, kubeconfig.path, ends, "ca", external, broken))
    return sorted(listed, key=lambda each: each.name)


def renewable_kubeconfigs(cluster: ResolvedCluster, node: Node) -> dict[str, KubeconfigRequest]:
    """Return a host's kubeconfigs by name, as the first control plane has them; an etcd host has none."""
    if node.role is Role.ETCD:
        return {}
    return {each.name: each for each in kubeconfig_requests(cluster, cluster.control_planes[0])}


def authorities(cluster: ResolvedCluster, node: Node, files: Mapping[str, FileFact]) -> list[Expiry]:
    """List the authorities of a host, by name."""
    states = presence.authorities(cluster, files)
    listed = [
        _of_request(request, files, "", states[request.name] is Presence.EXTERNAL)
        for request in host_authorities(cluster, node)
    ]
    return sorted(listed, key=lambda each: each.name)


def _of_request(
    request: CertificateRequest, files: Mapping[str, FileFact], authority: str, external: bool
) -> Expiry:
    fact = files.get(request.certificate_path)
    found = of_file(fact)
    ends = found.expires if found else None
    broken = fact is not None and found is None
    return Expiry(request.name, request.certificate_path, ends, authority, external, broken)


def _kubeconfig_ends(fact: FileFact | None) -> datetime | None:
    if fact is None or fact.content is None:
        return None
    try:
        content = renewal.embedded_certificate(fact.content, fact.path)
        return pem.certificates(content, fact.path)[0].not_valid_after_utc if content else None
    except KubeadmPyError:
        return None
