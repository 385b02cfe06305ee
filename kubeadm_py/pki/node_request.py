"""Make the certificate request that a kubelet makes when it bootstraps."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from kubeadm_py.pki.keys import PrivateKey

KEY_ALGORITHM = "ECDSA-P256"
"""What a kubelet makes for itself, whatever the cluster's own algorithm."""
USAGES = ("digital signature", "client auth")
"""All that the signer of kubelets' client certificates takes for an elliptic key."""
GROUP = "system:nodes"


def user_of(node_name: str) -> str:
    """Return who a node is to the API (the node authorizer's rule)."""
    return f"system:node:{node_name}"


def node_request(node_name: str, key: PrivateKey) -> bytes:
    """Return the PEM of a request for a node's client certificate."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, GROUP),
            x509.NameAttribute(NameOID.COMMON_NAME, user_of(node_name)),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)
