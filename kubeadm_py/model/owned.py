"""Know which paths of a host are ours: what the operator gives a host must lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from kubeadm_py.model import host_settings, paths

_FOLDERS = (
    paths.KUBELET_DIR,
    paths.STATE_DIR,
    paths.INCOMING_DIR,
    paths.RUN_DIR,
    paths.TMP_DIR,
    paths.CNI_STATE_DIR,
    paths.FLANNEL_RUN_DIR,
    "/var/lib/containerd",
    "/run/containerd",
    "/proc",
    "/sys",
    "/dev",
)
_FILES = frozenset(
    (
        *host_settings.PROBED_FILES,
        *host_settings.PROBED_BINARIES,
        paths.HOSTS_FILE,
        paths.ADMIN_CONF,
        paths.SUPER_ADMIN_CONF,
        paths.KUBELET_CONF,
        paths.BOOTSTRAP_KUBELET_CONF,
        paths.CONTROLLER_MANAGER_CONF,
        paths.SCHEDULER_CONF,
        paths.KUBELET_STANDALONE_DROPIN,
        paths.HAPROXY_CONFIG,
        paths.KEEPALIVED_CONFIG,
        paths.KEEPALIVED_CHECK,
    )
)
STATIC_PODS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "haproxy",
    "keepalived",
)
"""Names of our static pods, and of their manifests."""


def why_not(path: str, *, data_dir: str, certificates: Iterable[str]) -> str:
    """Say why an operator's file may not have this path; empty where it may.

    `data_dir` is etcd's, `certificates` are the paths of the cluster's certificates and keys.
    """
    if path in paths.NEVER_REMOVED:
        return "is a directory of the system"
    if path.startswith(f"{paths.MANIFESTS_DIR}/") or path == paths.MANIFESTS_DIR:
        return "is where static pods go: say it with staticPods"
    if path in certificates:
        return "is a file of the cluster's PKI, which kubeadm-py makes"
    for folder in (*_FOLDERS, data_dir):
        if path == folder or path.startswith(f"{folder}/"):
            return f"lies in {folder}, which is not for files of your own"
    if path in _FILES:
        return "is a file that kubeadm-py writes itself"
    return ""
