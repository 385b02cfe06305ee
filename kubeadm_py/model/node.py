"""Describe one host of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kubeadm_py.model import paths, ports
from kubeadm_py.model.components import Arg
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.ssh import SSH


class Role(StrEnum):
    """Name what a host is for."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    ETCD = "etcd"


@dataclass(frozen=True, slots=True)
class Taint:
    """Hold a node's taint."""

    key: str
    effect: str
    value: str = ""
    time_added: str = ""
    """RFC 3339; only the API knows it: flags and messages leave it out."""

    @property
    def manifest(self) -> dict[str, str]:
        """Return the core/v1 Taint."""
        optional = {"value": self.value, "timeAdded": self.time_added}
        given = {key: text for key, text in optional.items() if text}
        return {"key": self.key, "effect": self.effect, **given}

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


CONTROL_PLANE_TAINT = Taint("node-role.kubernetes.io/control-plane", "NoSchedule")
CRI_SOCKET_ANNOTATION = "kubeadm.alpha.kubernetes.io/cri-socket"
CONTROL_PLANE_LABELS = {
    "node-role.kubernetes.io/control-plane": "",
    "node.kubernetes.io/exclude-from-external-load-balancers": "",
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Hold the proxy settings that a host's units get."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Hold one file that the operator gives a host; a `secret` one is shown by nobody."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """Describe one host of the cluster."""

    name: str
    role: Role
    addresses: tuple[str, ...]
    """Node IPs, first family first; empty only for a bare kubeadm file before facts are known."""
    ssh: SSH | None = None
    """None: this very machine."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] | None = None
    """None: kubeadm's default for the role."""
    taints_registered: bool = False
    """Whether they are those of its nodeRegistration, which may go away by themselves later."""
    cri_socket: str = paths.CONTAINERD_SOCKET
    kubelet_extra_args: tuple[Arg, ...] = ()
    ignore_preflight_errors: frozenset[str] = frozenset()
    image_pull_policy: str = "IfNotPresent"
    image_pull_serial: bool = True
    advertise_address: str = ""
    bind_port: int = ports.API_SERVER
    proxy: Proxy | None = None
    files: tuple[OwnFile, ...] = ()
    """The operator's own files, written before anything of the cluster starts."""
    static_pods: tuple[OwnFile, ...] = ()
    """Manifests of the operator's own static pods."""
    cri_socket_annotated: bool = False
    """The Node object says which CRI socket it has (kubeadm's gate NodeLocalCRISocket is off)."""
    name_from_host: bool = False
    """`name` only stands in until the host's own name is known (config.load.complete)."""

    @property
    def unnamed(self) -> bool:
        """Say whether nobody has named it: it goes by its host's own name."""
        return self.name_from_host or not self.name

    @property
    def address(self) -> str:
        """Return the node's first address."""
        return self.addresses[0]

    @property
    def effective_taints(self) -> tuple[Taint, ...]:
        """Return the taints that the node registers with or is marked with."""
        if self.taints is not None:
            return self.taints
        return (CONTROL_PLANE_TAINT,) if self.role is Role.CONTROL_PLANE else ()

    @property
    def local_endpoint(self) -> str:
        """Return `host:port` of this control plane's own API server."""
        return join_host_port(self.advertise_address or self.address, self.bind_port)

    @property
    def kubelet_client_certificate(self) -> str:
        """Return where the kubelet keeps the client certificate that it renews: below its flag cert-dir."""
        default, _, name = paths.KUBELET_CLIENT_CURRENT.rpartition("/")
        given = [arg.value for arg in self.kubelet_extra_args if arg.name == "cert-dir"]
        return f"{given[-1] if given else default}/{name}"
