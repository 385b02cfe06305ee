"""Hold the config's limits, defaults and lists of accepted words: its literals live here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kubeadm_py.model import paths, ports

# Limits on what is read. A real config is some kilobytes; these only stop accidents and attacks.
MAX_FILE_BYTES = 1 << 20
MAX_NODES = 20_000
"""YAML nodes of a file with every alias expanded; a long scalar counts for more than one."""
SCALAR_CHARACTERS_PER_NODE = 100
MAX_DEPTH = 64
MAX_PROBLEMS = 50

KUBEADM_API = "kubeadm.k8s.io/v1beta4"
KUBELET_API = "kubelet.config.k8s.io/v1beta1"
KUBE_PROXY_API = "kubeproxy.config.k8s.io/v1alpha1"
CLUSTER_API = "kubeadm-py.io/v1alpha1"

API_OF_KIND = {
    "InitConfiguration": KUBEADM_API,
    "ClusterConfiguration": KUBEADM_API,
    "JoinConfiguration": KUBEADM_API,
    "ResetConfiguration": KUBEADM_API,
    "UpgradeConfiguration": KUBEADM_API,
    "KubeletConfiguration": KUBELET_API,
    "KubeProxyConfiguration": KUBE_PROXY_API,
    "Cluster": CLUSTER_API,
}

# kubeadm contract 2.3 and design.md section 1.
CLUSTER_NAME = "kubernetes"
SERVICE_SUBNET = "10.96.0.0/12"
POD_SUBNET = "10.244.0.0/16"
"""Used only where a pod-network add-on is asked for and no podSubnet is given."""
DNS_DOMAIN = "cluster.local"
TOKEN_TTL = timedelta(hours=24)
CERTIFICATE_VALIDITY = timedelta(hours=8760)
CA_CERTIFICATE_VALIDITY = timedelta(hours=87600)
BUNDLE_FOLDER = "bundle"
MAX_DURATION = timedelta(microseconds=(2**63 - 1) // 1000)
"""Go counts a duration in 64 bits of nanoseconds."""

# Subnet limits (kubeadm contract 0 and 2.9).
MIN_SERVICE_ADDRESSES = 10
MAX_SERVICE_HOST_BITS = 20
MIN_POD_ADDRESSES = 14
MAX_NODE_MASK_DISTANCE = 16
NODE_MASK = {4: 24, 6: 64}

ENCRYPTION_ALGORITHMS = ("RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384")
IMAGE_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
HOST_PATH_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
TOKEN_USAGES = ("signing", "authentication")
UNMOUNT_FLAGS = ("MNT_FORCE", "MNT_DETACH", "MNT_EXPIRE", "UMOUNT_NOFOLLOW")
PROXY_MODES = ("iptables", "ipvs", "nftables")
ROLE_ALIASES = {"master": "control-plane"}
VERSION_LABELS = ("stable", "stable-1")

FEATURE_GATES = ("NodeLocalCRISocket", "PublicKeysECDSA", "RootlessControlPlane")
REFUSED_FEATURE_GATES = {
    "RootlessControlPlane": "is alpha and deprecated in kubeadm, and not supported: it needs users on hosts",
}
"""Gates that may not be true, and why (docs/differences.md)."""
DEPRECATED_FEATURE_GATES = {"PublicKeysECDSA": "write encryptionAlgorithm: ECDSA-P256 or RSA-2048 instead"}

MOVED_KEYS = {
    "timeoutForControlPlane": "v1beta4 has InitConfiguration.timeouts.controlPlaneComponentHealthCheck",
    "timeout": "v1beta4 has timeouts.discovery",
}
"""Keys of v1beta3 that v1beta4 has elsewhere (kubeadm contract 2.10)."""

KUBE_PROXY_KUBECONFIG = "/var/lib/kube-proxy/kubeconfig.conf"


def kubelet_defaults(*, client_ca_file: str, cluster_dns: str, cluster_domain: str) -> dict[str, Any]:
    """Return kubeadm's KubeletConfiguration (kubeadm contract 2.11)."""
    return {
        "staticPodPath": paths.MANIFESTS_DIR,
        "clusterDNS": [cluster_dns],
        "clusterDomain": cluster_domain,
        "authentication": {
            "x509": {"clientCAFile": client_ca_file},
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": ports.KUBELET_HEALTHZ,
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
    }


FORCED_KUBELET_KEYS = ("rotateCertificates",)


def kube_proxy_defaults(*, pod_subnet: str, ipv6: bool) -> dict[str, Any]:
    """Return kubeadm's KubeProxyConfiguration (kubeadm contract 2.12)."""
    config: dict[str, Any] = {
        "bindAddress": "::" if ipv6 else "0.0.0.0",  # noqa: S104 - kubeadm's default: all addresses
        "clientConnection": {"kubeconfig": KUBE_PROXY_KUBECONFIG},
    }
    if pod_subnet:
        config["clusterCIDR"] = pod_subnet
    return config
