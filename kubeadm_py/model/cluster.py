"""Describe a cluster as resolved from its config: every default filled in, nothing left to guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import BootstrapToken, Discovery
from kubeadm_py.model.components import Component, Dns, Etcd
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.patches import Patch
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.reset import ResetSettings
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.timeouts import Timeouts
from kubeadm_py.model.versions import Version


class LoadBalancer(StrEnum):
    """Name what stands before the API servers."""

    EXTERNAL = "external"
    """What the operator runs, or nothing."""
    VIP = "vip"
    NODE_LOCAL = "node-local"


class ArtifactSource(StrEnum):
    """Name where binaries and images come from."""

    OFFICIAL = "official"
    BUNDLE = "bundle"
    PACKAGES = "packages"
    PREINSTALLED = "preinstalled"


@dataclass(frozen=True, slots=True)
class AddonRequest:
    """Name an add-on that the file asks for; `name` may be a path to a folder or a manifest."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResolvedCluster:
    """Describe a whole cluster: the only form of the config that steps and renderers see."""

    name: str
    """metadata.name of the Cluster document, else the cluster's name: key of local state."""
    kubernetes_version: Version
    nodes: tuple[Node, ...]
    cluster_name: str = "kubernetes"
    control_plane_endpoint: str = ""
    """`host:port`, port filled in; empty where the file names none."""
    load_balancer: LoadBalancer = LoadBalancer.EXTERNAL
    """What answers at that endpoint; model.endpoint says what it takes on which host."""
    networking: Networking = field(default_factory=Networking)
    etcd: Etcd = field(default_factory=Etcd)
    api_server: Component = field(default_factory=Component)
    api_server_cert_sans: tuple[str, ...] = ()
    controller_manager: Component = field(default_factory=Component)
    scheduler: Component = field(default_factory=Component)
    dns: Dns = field(default_factory=Dns)
    proxy_disabled: bool = False
    certificates_dir: str = paths.PKI_DIR
    image_repository: str = "registry.k8s.io"
    feature_gates: Mapping[str, bool] = field(default_factory=dict)
    encryption_algorithm: str = "RSA-2048"
    certificate_validity: timedelta = timedelta(hours=8760)
    ca_certificate_validity: timedelta = timedelta(hours=87600)
    bootstrap_tokens: tuple[BootstrapToken, ...] = (BootstrapToken(),)
    certificate_key: Secret | None = None
    """Key of the kubeadm-certs Secret as it was given: 64 hexadecimal digits."""
    discovery: Discovery | None = None
    ca_cert_path: str = paths.PKI_DIR + "/ca.crt"
    init_timeouts: Timeouts = field(default_factory=Timeouts)
    join_timeouts: Timeouts = field(default_factory=Timeouts)
    init_patches: tuple[Patch, ...] = ()
    """For the first control plane of the file; of a file that only joins, the join's."""
    join_patches: tuple[Patch, ...] = ()
    init_dry_run: bool = False
    join_dry_run: bool = False
    init_skip_phases: tuple[str, ...] = ()
    join_skip_phases: tuple[str, ...] = ()
    reset: ResetSettings = field(default_factory=ResetSettings)
    kubelet_config: Mapping[str, Any] = field(default_factory=dict)
    """KubeletConfiguration: the user's keys over kubeadm's defaults, without apiVersion and kind."""
    kubelet_config_given: bool = False
    kube_proxy_config: Mapping[str, Any] = field(default_factory=dict)
    """KubeProxyConfiguration likewise."""
    kube_proxy_config_given: bool = False
    addons: tuple[AddonRequest, ...] = ()
    artifacts: ArtifactSource = ArtifactSource.PREINSTALLED
    artifacts_path: str = ""
    """Absolute path of the bundle, or base URL of an official mirror; empty: the source's default."""
    artifacts_public_key: bytes = field(default=b"", repr=False)
    """PEM of the key that the bundle must be signed with; empty: nobody asks."""
    registries: Mapping[str, Registry] = field(default_factory=dict)
    ssh: SSH | None = None
    """How hosts are reached that say nothing else, without an address; None where the config has no hosts."""
    source_file: str = ""
    """The config file as the user named it, for messages."""

    @property
    def control_planes(self) -> tuple[Node, ...]:
        """Return the control-plane hosts in the file's order; the first one is init's."""
        return tuple(node for node in self.nodes if node.role is Role.CONTROL_PLANE)

    @property
    def workers(self) -> tuple[Node, ...]:
        """Return the worker hosts in the file's order."""
        return tuple(node for node in self.nodes if node.role is Role.WORKER)

    @property
    def members(self) -> tuple[Node, ...]:
        """Return the hosts that are nodes of the cluster; those of role etcd are none."""
        return tuple(node for node in self.nodes if node.role is not Role.ETCD)

    @property
    def etcd_hosts(self) -> tuple[Node, ...]:
        """Return the hosts of role etcd in the file's order."""
        return tuple(node for node in self.nodes if node.role is Role.ETCD)

    @property
    def etcd_members(self) -> tuple[Node, ...]:
        """Return the hosts that run a member of an etcd that we make."""
        if self.etcd.members is not None:
            return self.etcd_hosts
        return self.control_planes if self.etcd.local is not None else ()

    def at(self, node: Node) -> ResolvedCluster:
        """Return the cluster as this host has it: on a host of role etcd, etcd is local."""
        if self.etcd.members is None or node.role is not Role.ETCD:
            return self
        return replace(self, etcd=Etcd(local=self.etcd.members))

    @property
    def key_algorithm(self) -> str:
        """Return the algorithm of all keys: kubeadm's gate PublicKeysECDSA goes over the field."""
        gate = self.feature_gates.get("PublicKeysECDSA")
        if gate is None:
            return self.encryption_algorithm
        return "ECDSA-P256" if gate else "RSA-2048"

    @property
    def node_local_cri_socket(self) -> bool:
        """Say whether a host's CRI socket stands in a file of its own instead of in a flag."""
        return self.feature_gates.get("NodeLocalCRISocket", True)

    @property
    def endpoint(self) -> str:
        """Return `host:port` that nodes and operators use for the API."""
        return self.control_plane_endpoint or self.control_planes[0].local_endpoint

    def patches(self, node: Node) -> tuple[Patch, ...]:
        """Return the patches of a host's files: init's on the first control plane, else join's."""
        first = self.control_planes[:1]
        return self.init_patches if first and first[0].name == node.name else self.join_patches

    def node(self, name: str) -> Node:
        """Return the host called `name`; raise KeyError where the file has none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
