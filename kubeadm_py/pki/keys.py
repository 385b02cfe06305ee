"""Make, encode and compare private keys."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.secret import Secret

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
KeyMaker = Callable[[str], PrivateKey]
"""Makes a private key for an algorithm of ALGORITHMS."""

_RSA_EXPONENT = 65537

ALGORITHMS: dict[str, Callable[[], PrivateKey]] = {
    "RSA-2048": lambda: rsa.generate_private_key(_RSA_EXPONENT, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(_RSA_EXPONENT, 3072),
    "RSA-4096": lambda: rsa.generate_private_key(_RSA_EXPONENT, 4096),
    "ECDSA-P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECDSA-P384": lambda: ec.generate_private_key(ec.SECP384R1()),
}
"""kubeadm's encryptionAlgorithm values."""


def generate(algorithm: str) -> PrivateKey:
    """Make a private key; raise KeyError for an algorithm that is not in ALGORITHMS."""
    return ALGORITHMS[algorithm]()


def algorithm_of(key: PublicKey) -> str:
    """Return the algorithm's name as kubeadm writes it: `RSA-2048`, `ECDSA-P256`."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    return f"ECDSA-P{key.key_size}"


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """Return the hash that Go's x509 package pairs with a signer's key by default."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if key.key_size > 384:
            return hashes.SHA512()
        if key.key_size > 256:
            return hashes.SHA384()
    return hashes.SHA256()


def private_pem(key: PrivateKey) -> bytes:
    """Encode a private key as kubeadm does: PKCS#1 for RSA, SEC1 for ECDSA, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def public_pem(key: PublicKey) -> bytes:
    """Encode a public key in PKIX form, as sa.pub is."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def parse_private(pem: bytes | Secret, what: str) -> PrivateKey:
    """Read a private key in PKCS#1, SEC1 or PKCS#8 form; `what` names it in the error."""
    data = pem.reveal() if isinstance(pem, Secret) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        raise KubeadmPyError(
            f"{what} is encrypted with a passphrase",
            fix="Store the key without a passphrase: Kubernetes components cannot ask for one.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KubeadmPyError(
            f"{what} is not a private key in PEM form", fix="Restore it from a backup, or remove it."
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KubeadmPyError(
            f"{what} is neither an RSA nor an ECDSA key", fix=f"Use one of {', '.join(ALGORITHMS)}."
        )
    return key


def same_key(one: PublicKey, other: PublicKey) -> bool:
    """Say whether two public keys are the same key."""
    return public_pem(one) == public_pem(other)
