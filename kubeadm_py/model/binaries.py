"""Name every binary that a host may need, where it goes and who needs it: the one table of them."""

from __future__ import annotations

from dataclasses import dataclass

from kubeadm_py.model import paths
from kubeadm_py.model.node import Role

KUBERNETES = "kubernetes"
CONTAINERD = "containerd"
RUNC = "runc"
CRICTL = "crictl"
ETCD = "etcd"
CNI_PLUGINS = "cni-plugins"
FLANNEL_CNI_PLUGIN = "flannel-cni-plugin"

_EVERY_ROLE = frozenset(Role)
_ETCD_ROLES = frozenset({Role.CONTROL_PLANE, Role.ETCD})
_NODE_ROLES = frozenset({Role.CONTROL_PLANE, Role.WORKER})
"""Hosts of these roles are nodes of the cluster."""


@dataclass(frozen=True, slots=True)
class Binary:
    """Describe one binary: the component that ships it and its path on a host.

    `follows` names the binary of the same component whose state decides for this one too: a shim is never
    replaced under a containerd that is left alone.
    """

    name: str
    component: str
    path: str
    roles: frozenset[Role] = _EVERY_ROLE
    follows: str = ""
    optional: bool = False
    """Whether we do without it on a host that somebody else prepared."""


def _tool(
    name: str,
    component: str,
    roles: frozenset[Role] = _EVERY_ROLE,
    follows: str = "",
    *,
    optional: bool = False,
) -> Binary:
    return Binary(name, component, f"{paths.BIN_DIR}/{name}", roles, follows, optional)


def _plugin(name: str, component: str = CNI_PLUGINS) -> Binary:
    return Binary(name, component, f"{paths.CNI_BIN_DIR}/{name}", _NODE_ROLES)


RUNTIME = (
    _tool("containerd", CONTAINERD),
    _tool("containerd-shim-runc-v2", CONTAINERD, follows="containerd"),
    _tool("ctr", CONTAINERD, follows="containerd"),
    _tool("runc", RUNC),
)
TOOLS = (
    _tool("crictl", CRICTL),
    # Waits on a node ask the API server with kubectl, so every host has it.
    _tool("kubectl", KUBERNETES),
    # Without it the one in etcd's own image is asked.
    _tool("etcdctl", ETCD, _ETCD_ROLES, optional=True),
    # For the operator's hands.
    _tool("etcdutl", ETCD, _ETCD_ROLES, optional=True),
)
KUBELET = _tool("kubelet", KUBERNETES)
CNI = tuple(
    # What the published pod networks chain together; a network with further needs brings its own plugin.
    _plugin(name)
    for name in ("bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap", "ptp", "tuning")
)
ADDON_CNI = {"flannel": (_plugin("flannel", FLANNEL_CNI_PLUGIN),)}
"""CNI plugins that a pod network needs besides: add-on -> binaries, sent where the bundle carries them."""

BINARIES = (*RUNTIME, *TOOLS, KUBELET, *CNI)
