"""Read the ClusterConfiguration of a live cluster by the same rules as a file's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from kubeadm_py.config.defaults import KUBEADM_API
from kubeadm_py.config.documents import FlagDocument
from kubeadm_py.config.problems import Problems
from kubeadm_py.config.resolve import resolve
from kubeadm_py.config.whole import read_whole
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster

_SHARED = (
    "kubernetes_version",
    "cluster_name",
    "control_plane_endpoint",
    "networking",
    "etcd",
    "api_server",
    "api_server_cert_sans",
    "controller_manager",
    "scheduler",
    "dns",
    "proxy_disabled",
    "certificates_dir",
    "image_repository",
    "feature_gates",
    "encryption_algorithm",
    "certificate_validity",
    "ca_certificate_validity",
)
"""What a ClusterConfiguration says: the same on every control plane."""
_SHOWN = 5


def adopt(cluster: ResolvedCluster, live: Mapping[str, Any]) -> ResolvedCluster:
    """Return the cluster with all that its live ClusterConfiguration (of kubeadm-config) says.

    A control plane that joins must be like those that run. Raise KubeadmPyError where a key of it cannot be
    carried out.
    """
    version = live.get("apiVersion")
    if version != KUBEADM_API:
        raise KubeadmPyError(
            f"ConfigMap kube-system/kubeadm-config is of {version}; this kubeadm-py reads {KUBEADM_API}",
            fix="upgrade the cluster, which writes it anew, or translate it with kubeadm config migrate",
        )
    data = {key: value for key, value in live.items() if key not in ("apiVersion", "kind")}
    problems = Problems()
    document = FlagDocument("ClusterConfiguration", data, {})
    whole = read_whole({"ClusterConfiguration": document}, problems, file="", folder=FilePath())
    if problems.errors:
        raise KubeadmPyError(
            "ConfigMap kube-system/kubeadm-config holds what kubeadm-py cannot carry out",
            details=[f"{problem.path}: {problem.message}" for problem in problems.errors[:_SHOWN]],
            fix="correct it: kubectl -n kube-system edit configmap kubeadm-config",
        )
    found = resolve(whole)
    return replace(cluster, **{name: getattr(found, name) for name in _SHARED})
