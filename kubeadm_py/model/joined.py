"""Describe the cluster that a host joins, as discovery found it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.model.secret import Secret


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
