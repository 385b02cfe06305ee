"""Sign what is handed on, and check it, with Ed25519."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kubeadm_py.errors import UsageError
from kubeadm_py.model.secret import Secret

_MAKE_KEY = "make one: (umask 077; openssl genpkey -algorithm ed25519 -out bundle.key)"
_MAKE_PUBLIC = "openssl pkey -in bundle.key -pubout -out bundle.pub"


def sign(content: bytes, key: Secret, what: str) -> bytes:
    """Return the signature of `content` as one line of base64; `what` names the key in an error."""
    try:
        private = serialization.load_pem_private_key(key.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{what} is not a private key in PEM without a password", fix=_MAKE_KEY) from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise UsageError(f"{what} is not an Ed25519 key", fix=_MAKE_KEY)
    return base64.b64encode(private.sign(content)) + b"\n"


def is_signed(content: bytes, signature: bytes, public_key: bytes, what: str) -> bool:
    """Say whether a signature is that of `content` by this key; `what` names the key in an error."""
    try:
        public = serialization.load_pem_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{what} is not a public key in PEM", fix=_MAKE_PUBLIC) from error
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise UsageError(f"{what} is not an Ed25519 key", fix=_MAKE_PUBLIC)
    try:
        public.verify(base64.b64decode(signature.strip(), validate=True), content)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
