"""Describe PKI files on a host with their modes; their content is Late, made by the run's Authorities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kubeadm_py.model.actions import FileSpec, Late
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import CertificateRequest, KeyPairRequest, KubeconfigRequest

CERTIFICATE = "pki.certificate"
KEY = "pki.key"
PUBLIC_KEY = "pki.public-key"
PRIVATE_KEY = "pki.private-key"
KUBECONFIG = "pki.kubeconfig"

PUBLIC_MODE = 0o644
SECRET_MODE = 0o600


def certificate_files(requests: Iterable[CertificateRequest]) -> list[FileSpec]:
    """Describe keys and certificates.

    A key comes before its certificate, so that a crash never looks like an external CA.
    """
    listed = []
    for request in requests:
        spec = request.describe()
        key, certificate = Late(KEY, spec, request), Late(CERTIFICATE, spec, request)
        listed.append(FileSpec(request.key_path, key, SECRET_MODE, secret=True, of_cluster=True))
        listed.append(FileSpec(request.certificate_path, certificate, PUBLIC_MODE, of_cluster=True))
    return listed


def key_pair_files(requests: Iterable[KeyPairRequest]) -> list[FileSpec]:
    """Describe bare key pairs; kubeadm writes the public key with the private one's mode."""
    listed = []
    for request in requests:
        spec = request.describe()
        private, public = Late(PRIVATE_KEY, spec, request), Late(PUBLIC_KEY, spec, request)
        listed.append(FileSpec(request.key_path, private, SECRET_MODE, secret=True, of_cluster=True))
        listed.append(FileSpec(request.public_key_path, public, SECRET_MODE, of_cluster=True))
    return listed


def kubeconfig_files(requests: Iterable[KubeconfigRequest]) -> list[FileSpec]:
    """Describe kubeconfigs, which hold a key."""
    return [
        FileSpec(request.path, Late(KUBECONFIG, request.describe(), request), SECRET_MODE, secret=True)
        for request in requests
    ]


def producers(authorities: Authorities) -> dict[str, Callable[[Any], bytes]]:
    """Return what makes the content above: each takes the request in `Late.args`."""
    return {
        CERTIFICATE: lambda request: authorities.issue(request).public_pem,
        KEY: lambda request: authorities.issue(request).key.reveal(),
        PUBLIC_KEY: lambda request: authorities.key_pair(request).public_pem,
        PRIVATE_KEY: lambda request: authorities.key_pair(request).key.reveal(),
        KUBECONFIG: authorities.kubeconfig,
    }
