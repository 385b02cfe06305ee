"""Say of a URL whether what comes from there can be believed."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def proves_itself(url: str) -> bool:
    """Say whether nobody on the way can change what a URL gives: https, or http from this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
