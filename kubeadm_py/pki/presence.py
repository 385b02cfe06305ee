"""Tell from the files that a host has which authorities are its own, external, or not there yet."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.pki.requests import CertificateRequest, authority_requests


class Presence(StrEnum):
    """Say what of an authority lies on a host."""

    MISSING = "missing"
    OWN = "own"
    EXTERNAL = "external"
    """A certificate without its key: the operator signs (external-CA mode, decided for each authority)."""
    KEY_ONLY = "key-only"
    """A key without its certificate: keys land first, so a run was cut off here."""


def authorities(cluster: ResolvedCluster, existing: Container[str]) -> dict[str, Presence]:
    """Return each authority's presence by name, given the paths that exist on the host."""
    return {request.name: of(request, existing) for request in authority_requests(cluster)}


def of(request: CertificateRequest, existing: Container[str]) -> Presence:
    """Return one authority's presence, given the paths that exist on the host."""
    return _presence(request.certificate_path in existing, request.key_path in existing)


def _presence(certificate: bool, key: bool) -> Presence:
    if certificate:
        return Presence.OWN if key else Presence.EXTERNAL
    return Presence.KEY_ONLY if key else Presence.MISSING
