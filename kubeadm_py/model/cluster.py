"""Describe a cluster as resolved from its config: every default filled in, nothing left to guess."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from kubeadm_py.model import paths, ports
from kubeadm_py.model.patches import Patch
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version


class Role(StrEnum):
    """Name what a host is for."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    ETCD = "etcd"


class HostKeys(StrEnum):
    """Name how a host's SSH key is checked."""

    PINNED = "pinned"
    KNOWN_HOSTS = "known-hosts"
    ACCEPT_NEW = "accept-new"


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
class SSH:
    """Say how to reach a host; absent values come from ~/.ssh/config or the SSH defaults."""

    host: str
    user: str = ""
    port: int | None = None
    identity_file: str = ""
    host_keys: HostKeys = HostKeys.KNOWN_HOSTS
    host_key: str = ""
    known_hosts: str = ""
    bastion: str = ""
    sudo: bool | None = None
    """None: use sudo unless the user is root."""
    sudo_password_file: str = ""
    flag: str = ""
    """What --host says, where that names the host; empty for hosts of a file."""


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
NODE_TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"  # noqa: S105 - a group's name
ADMINS_GROUP = "kubeadm:cluster-admins"


@dataclass(frozen=True, slots=True)
class Arg:
    """Hold one extra flag of a component."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ExtraVolume:
    """Hold one hostPath volume of a static pod."""

    name: str
    host_path: str
    mount_path: str
    read_only: bool = False
    path_type: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """Hold what the config adds to one control-plane component; `extra_envs` are core/v1 EnvVars."""

    extra_args: tuple[Arg, ...] = ()
    extra_volumes: tuple[ExtraVolume, ...] = ()
    extra_envs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class LocalEtcd:
    """Describe the etcd member that runs on a control-plane host."""

    image_repository: str = ""
    image_tag: str = ""
    data_dir: str = paths.ETCD_DATA_DIR
    extra_args: tuple[Arg, ...] = ()
    extra_envs: tuple[Mapping[str, Any], ...] = ()
    server_cert_sans: tuple[str, ...] = ()
    peer_cert_sans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalEtcd:
    """Describe an etcd that others run."""

    endpoints: tuple[str, ...]
    http_endpoints: tuple[str, ...] = ()
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Etcd:
    """Hold exactly one of `local` and `external`."""

    local: LocalEtcd | None = field(default_factory=LocalEtcd)
    external: ExternalEtcd | None = None
    members: LocalEtcd | None = None
    """How members run on hosts of role etcd, where the file has some: `external` is then how control planes
    reach them."""

    @property
    def ours(self) -> LocalEtcd | None:
        """Return how the members run that we make, wherever they do; None where others run etcd."""
        return self.local or self.members


@dataclass(frozen=True, slots=True)
class Dns:
    """Describe the CoreDNS add-on."""

    image_repository: str = ""
    image_tag: str = ""
    disabled: bool = False
    replicas: int = 0
    """How many pods; 0: two at first, then as many as it was scaled to."""


@dataclass(frozen=True, slots=True)
class Networking:
    """Hold the cluster's subnets as written (two, comma-separated, for dual stack) and its domain."""

    service_subnet: str = "10.96.0.0/12"
    pod_subnet: str = ""
    dns_domain: str = "cluster.local"

    @property
    def service_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Return the service subnets in order."""
        return [ipaddress.ip_network(part.strip()) for part in self.service_subnet.split(",") if part.strip()]

    @property
    def pod_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Return the pod subnets in order; empty where none is set."""
        return [ipaddress.ip_network(part.strip()) for part in self.pod_subnet.split(",") if part.strip()]

    @property
    def api_service_ip(self) -> str:
        """Return the first address of the first service subnet."""
        return str(self.service_networks[0][1])

    @property
    def dns_ip(self) -> str:
        """Return the tenth address of the first service subnet."""
        return str(self.service_networks[0][10])


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Hold kubeadm's timeouts with its defaults."""

    control_plane_component_health_check: timedelta = timedelta(minutes=4)
    kubelet_health_check: timedelta = timedelta(minutes=4)
    kubernetes_api_call: timedelta = timedelta(minutes=1)
    etcd_api_call: timedelta = timedelta(minutes=2)
    tls_bootstrap: timedelta = timedelta(minutes=5)
    discovery: timedelta = timedelta(minutes=5)
    upgrade_manifests: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """Hold a bootstrap token of the config; `token` None means: make one. `ttl` zero: never expires."""

    token: Secret | None = None
    description: str = ""
    ttl: timedelta | None = timedelta(hours=24)
    expires: str = ""
    usages: tuple[str, ...] = ("signing", "authentication")
    groups: tuple[str, ...] = (NODE_TOKEN_GROUP,)


@dataclass(frozen=True, slots=True)
class Discovery:
    """Say how a joining host finds and trusts the cluster (JoinConfiguration.discovery)."""

    token: Secret | None = None
    api_server_endpoint: str = ""
    ca_cert_hashes: tuple[str, ...] = ()
    unsafe_skip_ca_verification: bool = False
    file: str = ""
    tls_bootstrap_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class ResetSettings:
    """Hold what ResetConfiguration says; a reset removes what the host's inventory lists, wherever it is."""

    dry_run: bool = False
    force: bool = False
    """Do not ask."""
    certificates_dir: str = ""
    """Whose content goes where no inventory knows any of it; empty: the cluster's."""
    cleanup_tmp_dir: bool = False
    """Remove what kubeadm keeps from upgrades below /etc/kubernetes/tmp, too."""
    cri_socket: str = ""
    """Where the pods' runtime listens; empty: as the host's files say."""
    ignore_preflight_errors: frozenset[str] = frozenset()
    skip_phases: tuple[str, ...] = ()
    unmount_flags: tuple[str, ...] = ()
    """Names of umount2(2)'s flags."""
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True)
class AddonRequest:
    """Name an add-on that the file asks for; `name` may be a path to a folder or a manifest."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registry:
    """Say how one image registry is reached; what it needs lies in here, not in files."""

    mirrors: tuple[str, ...] = ()
    """URLs that are asked first, in this order; what a mirror needs says the registry of its own name."""
    plain_http: bool = False
    ca: bytes = field(default=b"", repr=False)
    """Certificates in PEM that its own must come from; empty: the system's."""
    credentials: Secret | None = None
    """`user:password`."""
    replace_with: str = ""
    """What stands in the place of its name in the images of add-ons."""
    pull_secrets: tuple[str, ...] = ()
    """Secrets with which pods of add-ons pull images that come from it."""


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


def join_host_port(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(endpoint: str, default_port: int = ports.API_SERVER) -> tuple[str, int]:
    """Split `host[:port]`; brackets around an IPv6 address are taken off. Raise ValueError if malformed."""
    if endpoint.startswith("["):
        host, bracket, rest = endpoint[1:].partition("]")
        if not bracket:
            raise ValueError(f"{endpoint!r} lacks the closing bracket")
        return host, int(rest[1:]) if rest.startswith(":") else default_port
    if endpoint.count(":") > 1:
        return endpoint, default_port
    host, colon, port = endpoint.partition(":")
    return host, int(port) if colon else default_port
