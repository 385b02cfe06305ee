"""Judge what an operator has signed with an authority whose key is not on the host (external-CA mode)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime

from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Node
from kubeadm_py.pki import inspect, presence
from kubeadm_py.pki.kubeconfig import kubeconfig_fits
from kubeadm_py.pki.presence import Presence
from kubeadm_py.pki.requests import (
    CertificateRequest,
    KubeconfigRequest,
    authority_requests,
    kubeconfig_requests,
    leaf_requests,
)

FIX = (
    "make keys and requests, have your CA sign them, and put the signed ones beside their keys:"
    " kubeadm-py certs generate-csr --help; or add the CA's key, and they are made"
)


def authorities(cluster: ResolvedCluster, files: Mapping[str, FileFact]) -> list[str]:
    """Return the names of the authorities whose certificate is on the host without its key."""
    states = presence.authorities(cluster, files)
    return [name for name, state in states.items() if state is Presence.EXTERNAL]


def lacks(
    cluster: ResolvedCluster,
    node: Node,
    files: Mapping[str, FileFact],
    now: datetime,
    *,
    key_pairs: Mapping[str, bool] = {},
    apart_from: Container[str] = (),
) -> list[str]:
    """List everything that an external authority has to sign and that is missing or does not fit.

    super-admin.conf may be removed once the cluster is there. `key_pairs` says of keys, by their path,
    whether they go with their certificates. The operator chose the subjects; what they are for is checked.
    Kubeconfigs whose paths are in `apart_from` are not asked for.
    """
    external = authorities(cluster, files)
    found = []
    for request in leaf_requests(cluster, node):
        if request.signer in external:
            found += _leaf(cluster, request, files, now)
            if not key_pairs.get(request.key_path, True):
                found.append(f"{request.key_path} is not the key of {request.certificate_path}")
    if "ca" in external:
        for wanted in kubeconfig_requests(cluster, node):
            if wanted.path in apart_from or (wanted.path == paths.SUPER_ADMIN_CONF and _was_removed(files)):
                continue
            found += _kubeconfig(cluster, wanted, files, now)
            if not key_pairs.get(wanted.path, True):
                found.append(f"{wanted.path} holds a key that is not its certificate's")
    return found


def _leaf(
    cluster: ResolvedCluster, request: CertificateRequest, files: Mapping[str, FileFact], now: datetime
) -> list[str]:
    missing = [
        f"{path} is missing" for path in (request.certificate_path, request.key_path) if path not in files
    ]
    signer = next(each for each in authority_requests(cluster) if each.name == request.signer)
    authority, certificate = files[signer.certificate_path], files.get(request.certificate_path)
    if certificate is None:
        return missing
    reasons = inspect.fits(
        certificate.content or b"", request, authority.content or b"", now, compare_subject=False
    )
    return [*missing, *(f"{request.certificate_path}: {reason}" for reason in reasons)]


def _kubeconfig(
    cluster: ResolvedCluster, request: KubeconfigRequest, files: Mapping[str, FileFact], now: datetime
) -> list[str]:
    fact = files.get(request.path)
    if fact is None:
        return [f"{request.path} is missing"]
    authority = files[f"{cluster.certificates_dir}/ca.crt"].content or b""
    reasons = kubeconfig_fits(
        fact.content or b"", request, authority, now, compare_server=False, compare_subject=False
    )
    return [f"{request.path}: {reason}" for reason in reasons]


def _was_removed(files: Mapping[str, FileFact]) -> bool:
    """Say whether a cluster that is there already goes on without super-admin.conf."""
    return f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml" in files and paths.SUPER_ADMIN_CONF not in files
