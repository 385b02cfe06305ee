"""Make keys and certificate signing requests for a CA whose key is elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig, names
from kubeadm_py.pki.keys import KeyMaker, PrivateKey, generate, private_pem, signature_hash
from kubeadm_py.pki.requests import CertificateRequest, KubeconfigRequest, kubeconfig_requests, leaf_requests

MODE = 0o600
"""Of all files, as kubeadm has it."""


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """Hold a file to write: `path` is relative, to certificatesDir or, of a kubeconfig, to its folder."""

    path: str
    content: Secret
    of_kubeconfig: bool = False


def signing_request(request: CertificateRequest, key: PrivateKey) -> bytes:
    """Return the request in PEM form: subject and names as kubeadm asks for them, usages left to the CA."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        names.subject(request.common_name, request.organizations)
    )
    listed: list[x509.GeneralName] = [x509.DNSName(name) for name in request.dns_names]
    listed += [x509.IPAddress(ipaddress.ip_address(address)) for address in request.ip_addresses]
    if listed:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    return builder.sign(key, signature_hash(key)).public_bytes(serialization.Encoding.PEM)


def generated(
    cluster: ResolvedCluster, node: Node, *, key_maker: KeyMaker = generate
) -> Iterable[GeneratedFile]:
    """Yield keys and requests for everything that a control-plane host carries, its kubeconfigs included.

    A kubeconfig is complete but for `client-certificate-data` and the CA, which come with the signature.
    """
    for request in leaf_requests(cluster, node):
        base = request.path.removeprefix(f"{cluster.certificates_dir}/")
        key = key_maker(request.algorithm)
        yield GeneratedFile(f"{base}.key", Secret(private_pem(key)))
        yield GeneratedFile(f"{base}.csr", Secret(signing_request(request, key)))
    for wanted in kubeconfig_requests(cluster, node):
        key = key_maker(wanted.algorithm)
        yield GeneratedFile(wanted.name, Secret(_partial(wanted, key)), of_kubeconfig=True)
        request_pem = signing_request(wanted.certificate, key)
        yield GeneratedFile(f"{wanted.name}.csr", Secret(request_pem), of_kubeconfig=True)


def _partial(request: KubeconfigRequest, key: PrivateKey) -> bytes:
    return kubeconfig.render(
        request.cluster_name, request.server, None, request.user, client_key=Secret(private_pem(key))
    )
