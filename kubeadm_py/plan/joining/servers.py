"""Say where the URL of a cluster's server leads."""

from __future__ import annotations

from urllib.parse import urlsplit

from kubeadm_py.errors import UsageError
from kubeadm_py.model.networking import join_host_port


def endpoint_of(server: str) -> str:
    """Return HOST:PORT of a server's URL; https without a port is 443, whatever API servers listen on."""
    try:
        parts = urlsplit(server)
        port = parts.port or 443
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise UsageError(
            f"the cluster's server is {server!r}, which is not a URL like https://HOST:PORT",
            fix="correct the server in the discovery file, or in ConfigMap kube-public/cluster-info",
        )
    return join_host_port(parts.hostname, port)
