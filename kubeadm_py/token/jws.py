"""Sign and verify cluster-info with a token: detached JWS, HS256 (kubeadm contract 8.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from kubeadm_py.token.bootstrap import Token

KEY_PREFIX = "jws-kubeconfig-"
"""A ConfigMap key is this and the token's id."""


def sign(content: bytes, token: Token) -> str:
    """Return the detached signature of `content`: `HEADER..MAC`."""
    header = _encoded(json.dumps({"alg": "HS256", "kid": token.id}, separators=(",", ":")).encode())
    signed = f"{header}.{_encoded(content)}".encode()
    mac = hmac.new(token.secret.reveal(), signed, hashlib.sha256).digest()
    return f"{header}..{_encoded(mac)}"


def verify(content: bytes, signature: str, token: Token) -> bool:
    """Say whether `signature` is the one that this token makes of `content`."""
    return hmac.compare_digest(sign(content, token).encode(), signature.encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
