"""Describe the cluster that a host joins, as discovery found it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.model.secret import Secret


@dataclass(frozen=True, slots=True)
class SharedFile:
    """Describe a file that all control planes have alike; `content` only of what is public."""

    path: str
    mode: int
    sha256: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class KubeletCredentials:
    """Hold what a kubelet logs in with."""

    certificate_pem: bytes
    key_pem: Secret


@dataclass(frozen=True, slots=True)
class JoinedCluster:
    """Hold what a joining host needs to know of its cluster."""

    server: str
    """URL of the API as cluster-info (or the discovery file) names it."""
    ca_pem: bytes
    tls_bootstrap_token: Secret
    kubelet_config: Mapping[str, Any] = field(default_factory=dict)
    """The cluster's KubeletConfiguration (ConfigMap kube-system/kubelet-config)."""
    cluster_configuration: Mapping[str, Any] = field(default_factory=dict)
    """The cluster's ClusterConfiguration (ConfigMap kube-system/kubeadm-config)."""
    client_certificate_pem: bytes | None = None
    client_key: Secret | None = None
    """With the certificate, what the kubelet logs in with where there is no token: a discovery file's own."""
    kubelet_credentials: Mapping[str, KubeletCredentials] = field(default_factory=dict)
    """By node name, for those whose certificate was signed already; the others' kubelets bootstrap."""
    shared: tuple[SharedFile, ...] = ()
    """What a joining control plane takes over; empty for workers."""
    nodes: Mapping[str, bool] | None = None
    """The cluster's nodes, and whether they are Ready; None: nobody has asked."""
    helper: str = ""
    """URL of the API server of a control plane that runs, where it is known apart from `server`."""

    def shared_file(self, path: str) -> SharedFile | None:
        """Return a shared file by its path."""
        return next((file for file in self.shared if file.path == path), None)
