"""List the kernel options and modules that Kubernetes needs: what the probe asks for and preflight judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeadm_py.model import host_settings
from kubeadm_py.model.cluster import ResolvedCluster

REQUIRED_OPTIONS = (
    ("NAMESPACES",),
    ("NET_NS",),
    ("PID_NS",),
    ("IPC_NS",),
    ("UTS_NS",),
    ("CGROUPS",),
    ("CPUSETS",),
    ("MEMCG",),
    ("INET",),
    ("EXT4_FS",),
    ("PROC_FS",),
    ("NETFILTER_XT_TARGET_REDIRECT", "IP_NF_TARGET_REDIRECT"),
    ("NETFILTER_XT_MATCH_COMMENT",),
    ("FAIR_GROUP_SCHED",),
)
"""Options without CONFIG_; of each group one must be y or m (contract 3, SystemVerification)."""
REQUIRED_OPTIONS_CGROUP_V1 = (
    ("CGROUP_CPUACCT",),
    ("CGROUP_DEVICE",),
    ("CGROUP_FREEZER",),
    ("CGROUP_PIDS",),
    ("CGROUP_SCHED",),
)
REQUIRED_OPTIONS_CGROUP_V2 = (("CGROUP_BPF",), ("CGROUP_PIDS",), ("CGROUP_SCHED",))
OPTIONAL_OPTIONS = (
    "OVERLAY_FS",
    "BLK_DEV_DM",
    "CFS_BANDWIDTH",
    "SECCOMP",
    "SECCOMP_FILTER",
    "CGROUP_HUGETLB",
)

REQUIRED_CONTROLLERS_V1 = frozenset({"cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"})
REQUIRED_CONTROLLERS_V2 = frozenset({"cpu", "cpuset", "freezer", "memory", "pids"})
"""On version 2 the kernel always has `devices`, and it is not listed."""
OPTIONAL_CONTROLLERS = {1: frozenset({"blkio", "hugetlb"}), 2: frozenset({"hugetlb", "io"})}
"""By the version of cgroups; kubeadm warns where one is off."""

IPVS_SCHEDULERS = ("rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq")

MODULE_OPTIONS = {
    **host_settings.MODULE_OPTIONS,
    **{f"ip_vs_{scheduler}": f"IP_VS_{scheduler.upper()}" for scheduler in IPVS_SCHEDULERS},
    "bridge": "BRIDGE",
    "veth": "VETH",
    "vxlan": "VXLAN",
    "fuse": "FUSE_FS",
    "wireguard": "WIREGUARD",
    "ipip": "NET_IPIP",
    "nfs": "NFS_FS",
    "rbd": "BLK_DEV_RBD",
    "ceph": "CEPH_FS",
    "ip_set": "IP_SET",
    "xt_set": "NETFILTER_XT_SET",
    "openvswitch": "OPENVSWITCH",
    "geneve": "GENEVE",
    "cls_bpf": "NET_CLS_BPF",
    "sch_ingress": "NET_SCH_INGRESS",
}
"""Module -> the option (without CONFIG_) that says whether it is built in."""


def proxy_modules(cluster: ResolvedCluster) -> tuple[str, ...]:
    """Return the modules that kube-proxy needs in its mode: what preflight asks for is what is loaded."""
    if cluster.proxy_disabled:
        return ()
    mode = str(cluster.kube_proxy_config.get("mode") or "")
    wanted = host_settings.PROXY_MODE_MODULES.get(mode, ())
    if mode != "ipvs":
        return wanted
    ipvs: Mapping[str, Any] = cluster.kube_proxy_config.get("ipvs") or {}
    return (*wanted, f"ip_vs_{ipvs.get('scheduler') or 'rr'}")


def probed_options() -> tuple[str, ...]:
    """Return every option that somebody asks about, each once."""
    groups = (*REQUIRED_OPTIONS, *REQUIRED_OPTIONS_CGROUP_V1, *REQUIRED_OPTIONS_CGROUP_V2)
    wanted = [option for group in groups for option in group]
    return tuple(dict.fromkeys([*wanted, *OPTIONAL_OPTIONS, *MODULE_OPTIONS.values()]))
