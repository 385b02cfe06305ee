"""Hold the kernel modules, sysctls and paths that host preparation looks at and sets: one table of each."""

from __future__ import annotations

from kubeadm_py.model import binaries, paths

FSTAB = "/etc/fstab"
CONTAINERD_PROXY = "/etc/systemd/system/containerd.service.d/http-proxy"
CRIO_CONFIG = "/etc/crio/crio.conf.d/20-kubeadm-py.conf"
"""Behind 10-crio.conf, which CRI-O's packages bring: later names win."""
CRIO_CREDENTIALS = "/etc/crio/kubeadm-py-auth.json"
CRIO_PROXY = "/etc/systemd/system/crio.service.d/http-proxy"
CONTAINERS_REGISTRIES = "/etc/containers/registries.conf.d/20-kubeadm-py.conf"
CONTAINERS_CERTS_DIR = "/etc/containers/certs.d"
CONTAINERS_POLICY = "/etc/containers/policy.json"
CRI_DOCKERD_DROPIN = "/etc/systemd/system/cri-docker.service.d/20-kubeadm-py.conf"
DOCKER_CERTS_DIR = "/etc/docker/certs.d"
KUBELET_PROXY = "/etc/systemd/system/kubelet.service.d/http-proxy"
"""Without .conf, the drop-in, and .env, the variables that it names: these may hold a password."""
KUBELET_LOCAL_DROPIN = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
"""Where packages before 1.28 put the drop-in."""
MASKED_SWAP_UNITS = paths.STATE_DIR + "/swap-units"
"""The swap units that we switched off, one a line: `mask NAME` or `disable NAME`; reset undoes them."""

MODULE_OPTIONS = {
    "overlay": "OVERLAY_FS",
    "br_netfilter": "BRIDGE_NETFILTER",
    "nf_conntrack": "NF_CONNTRACK",
    "nf_tables": "NF_TABLES",
    "ip_vs": "IP_VS",
    "dummy": "DUMMY",
}
"""Kernel module -> the option (without CONFIG_) that says if it is built in; model/kernel.py has more."""

MODULES = ("overlay", "br_netfilter")
PROXY_MODE_MODULES = {
    "": ("nf_conntrack",),
    "iptables": ("nf_conntrack",),
    "nftables": ("nf_conntrack", "nf_tables"),
    "ipvs": ("nf_conntrack", "ip_vs"),
}
"""What kube-proxy needs by mode; ipvs needs its scheduler's besides. '' is kube-proxy's own default."""
PROXY_MODE_LINKS = {"ipvs": ("dummy",)}
"""Kinds of links that kube-proxy makes by mode: their modules come by themselves, none is loaded ahead."""

SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.bridge.bridge-nf-call-iptables": 1,
    "net.bridge.bridge-nf-call-ip6tables": 1,
}
"""What pod traffic needs on every host."""
SYSCTLS_IPV6 = {
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv6.conf.default.forwarding": 1,
}
"""What it needs besides where pods, services or nodes have IPv6 addresses."""
SYSCTL_FLOORS = {
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 524288,
}
"""Limits that are raised to this and never lowered: kubelet, containerd and log shippers watch many files."""
SYSCTLS_PROTECTED = {
    "kernel.keys.root_maxbytes": 25000000,
    "kernel.keys.root_maxkeys": 1000000,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
    "vm.overcommit_memory": 1,
    "vm.panic_on_oom": 0,
}
"""What the kubelet insists on, and does not set itself, under protectKernelDefaults."""

PROBED_SYSCTLS = (*SYSCTLS, *SYSCTLS_IPV6, *SYSCTL_FLOORS, *SYSCTLS_PROTECTED)
PROBED_FILES = (
    paths.CONTAINERD_CONFIG,
    paths.CONTAINERD_UNIT,
    f"{CONTAINERD_PROXY}.conf",
    f"{CONTAINERD_PROXY}.env",
    paths.CRICTL_CONFIG,
    CRIO_CONFIG,
    CRIO_CREDENTIALS,
    f"{CRIO_PROXY}.conf",
    f"{CRIO_PROXY}.env",
    CONTAINERS_REGISTRIES,
    CONTAINERS_CERTS_DIR,
    CONTAINERS_POLICY,
    CRI_DOCKERD_DROPIN,
    DOCKER_CERTS_DIR,
    paths.KUBELET_UNIT,
    paths.KUBELET_DROPIN,
    KUBELET_LOCAL_DROPIN,
    f"{KUBELET_PROXY}.conf",
    f"{KUBELET_PROXY}.env",
    paths.MODULES_FILE,
    paths.SYSCTL_FILE,
    MASKED_SWAP_UNITS,
    paths.KEPT_DIR,
    FSTAB,
    paths.SETTLED,
    paths.KUBE_PROXY_AWAITED,
)
"""Files whose mode, owner and sha256 preparation compares."""
PROBED_BINARIES = tuple(
    dict.fromkeys(
        binary.path
        for binary in (*binaries.BINARIES, *(extra for row in binaries.ADDON_CNI.values() for extra in row))
    )
)
"""Paths of the binaries that preparation compares."""
PROBED_UNITS = ("containerd.service", "kubelet.service", "crio.service", "cri-docker.service")
