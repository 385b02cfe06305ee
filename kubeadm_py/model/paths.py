"""Name every path on a node once: code, tests and docs read this table."""

from __future__ import annotations

import posixpath

KUBERNETES_DIR = "/etc/kubernetes"
MANIFESTS_DIR = "/etc/kubernetes/manifests"
TMP_DIR = "/etc/kubernetes/tmp"
PKI_DIR = "/etc/kubernetes/pki"

ADMIN_CONF = "/etc/kubernetes/admin.conf"
SUPER_ADMIN_CONF = "/etc/kubernetes/super-admin.conf"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP_KUBELET_CONF = "/etc/kubernetes/bootstrap-kubelet.conf"
CONTROLLER_MANAGER_CONF = "/etc/kubernetes/controller-manager.conf"
SCHEDULER_CONF = "/etc/kubernetes/scheduler.conf"

HAPROXY_CONFIG = "/etc/kubernetes/haproxy/haproxy.cfg"
KEEPALIVED_CONFIG = "/etc/kubernetes/keepalived/keepalived.conf"
KEEPALIVED_CHECK = "/etc/kubernetes/keepalived/check"
KEEPALIVED_AWAY = "/etc/kubernetes/keepalived/away"
"""Until when (Unix seconds) a host that is worked on leaves the vip to another one."""
HOSTS_FILE = "/etc/hosts"

KUBELET_DIR = "/var/lib/kubelet"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
KUBELET_INSTANCE_CONFIG = "/var/lib/kubelet/instance-config.yaml"
KUBELET_FLAGS_ENV = "/var/lib/kubelet/kubeadm-flags.env"
KUBELET_CLIENT_CURRENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
KUBELET_UNIT = "/usr/lib/systemd/system/kubelet.service"
KUBELET_DROPIN = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
KUBELET_STANDALONE_DROPIN = "/etc/systemd/system/kubelet.service.d/20-standalone.conf"
"""On hosts of role etcd: their kubelet belongs to no cluster."""

ETCD_DATA_DIR = "/var/lib/etcd"

CNI_CONF_DIR = "/etc/cni/net.d"
CNI_BIN_DIR = "/opt/cni/bin"
CNI_STATE_DIR = "/var/lib/cni"
FLANNEL_RUN_DIR = "/run/flannel"
FLANNEL_SUBNET_ENV = "/run/flannel/subnet.env"
"""What flannel tells its CNI plugin: the pod network and this node's share of it."""
BIN_DIR = "/usr/bin"

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
CONTAINERD_CERTS_DIR = "/etc/containerd/certs.d"
CONTAINERD_UNIT = "/usr/lib/systemd/system/containerd.service"
CONTAINERD_SOCKET = "unix:///run/containerd/containerd.sock"
CRIO_SOCKET = "unix:///var/run/crio/crio.sock"
CRI_DOCKERD_SOCKET = "unix:///var/run/cri-dockerd.sock"
CRICTL_CONFIG = "/etc/crictl.yaml"

SYSCTL_FILE = "/etc/sysctl.d/99-kubernetes.conf"
MODULES_FILE = "/etc/modules-load.d/kubernetes.conf"

RESOLVED_RESOLV_CONF = "/run/systemd/resolve/resolv.conf"

STATE_DIR = "/var/lib/kubeadm-py"
INVENTORY = "/var/lib/kubeadm-py/inventory.json"
SETTLED = "/var/lib/kubeadm-py/settled"
"""The digest of the inventory as it was when the last stage had ended well."""
MADE_DIRECTORIES = "/var/lib/kubeadm-py/made-directories"
"""Directories that were missing when we wrote into them, one a line."""
APPLIED_DIR = "/var/lib/kubeadm-py/applied"
"""One file a group of API objects that we applied, with the group's digest; `ca` says to which cluster."""
NODE_MARKS = "/var/lib/kubeadm-py/applied/node-"
"""What the labels and taints of the node of that name were set to, beside the groups of objects."""
ETCD_BIRTH = "/var/lib/kubeadm-py/etcd-birth"
"""With whom this host's etcd member was born (model.etcd.Birth)."""
INCOMING_DIR = "/var/cache/kubeadm-py"
"""What is being sent, by digest: what a cut connection has left there is gone on with. /var/lib is often a
filesystem of its own, from which each program would be copied to where it belongs."""
INCOMING_BLOBS = "/var/cache/kubeadm-py/blobs/sha256"
"""Where an OCI layout has its blobs: a file, or a part of an image, named for its digest."""
KEPT_DIR = "/var/lib/kubeadm-py/kept"
RUN_DIR = "/run/kubeadm-py"
RUN_LOCK = "/run/kubeadm-py/lock"
STAGE_LOCK = "/run/kubeadm-py/stage.lock"
RUN_TOKEN = "/run/kubeadm-py/token"  # noqa: S105 - no secret: it tells runs apart
"""Which run has the lock, as long as it has it."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where our scripts look for commands, whatever the login made of PATH."""
KUBE_PROXY_AWAITED = "/run/kubeadm-py/kube-proxy-awaited"
PROGRAM_VERSIONS = "/run/kubeadm-py/versions"
"""What the host's programs said of their versions, one file each, with the identity of the program's file."""
KUBECTL_CACHE = "/run/kubeadm-py/kubectl-cache"
"""kubectl's discovery cache goes here instead of below root's home."""

CA_CERTIFICATE_DIRS = (
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
)
"""Trust stores that control-plane pods mount where the host has them (kubeadm contract 5.2)."""
SSL_CERTS_DIR = "/etc/ssl/certs"

# fmt: off
NEVER_REMOVED = frozenset(
    (
        "/", "/bin", "/boot", "/dev", "/etc", "/etc/default", "/etc/modules-load.d", "/etc/sysctl.d",
        "/etc/systemd", "/etc/systemd/system", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt",
        "/proc", "/root", "/run", "/run/systemd", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin",  # noqa: S108 - nothing is put there
        "/usr/lib", "/usr/lib/systemd", "/usr/lib/systemd/system", "/usr/lib64", "/usr/local",
        "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/usr/share", "/var", "/var/cache",
        "/var/lib", "/var/log", "/var/mail", "/var/run", "/var/spool", "/var/tmp",  # noqa: S108 - nothing is put there
    )
)
# fmt: on
"""Directories that are shared with the whole system: no inventory, however wrong, takes them away."""


def kept_list(guard: str) -> str:
    """Return the list of what a guarded stage changes, gone once the stage is settled.

    It has a path a line, behind `kept` or `absent`.
    """
    return f"{KEPT_DIR}/{guard}/list"


def is_systems(path: str) -> bool:
    """Say whether a path, however it is written, is a directory of the whole system's."""
    # normpath leaves two leading slashes as they are.
    return posixpath.normpath("/" + path.lstrip("/")) in NEVER_REMOVED
