"""Type kubeadm's own documents, kubeadm.k8s.io/v1beta4, field for field (kubeadm contract 2)."""
# ruff: noqa: RUF012 - pydantic copies a mutable default for each model

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kubeadm_py.config import defaults, image_values
from kubeadm_py.config import scalars as s
from kubeadm_py.config.env_types import EnvVar
from kubeadm_py.strict import Strict


class ExtraArg(Strict):
    """One flag of a component."""

    name: s.FlagName = ""
    value: str = ""


class KubeletArg(Strict):
    """One flag of the kubelet; it ends up on one line of an environment file."""

    name: s.FlagName = ""
    value: s.Line = ""


class Volume(Strict):
    """One hostPath volume of a static pod."""

    name: s.DnsLabel = ""
    host_path: s.AbsolutePath = ""
    mount_path: s.AbsolutePath = ""
    read_only: bool = False
    path_type: Annotated[str, s.one_of(defaults.HOST_PATH_TYPES)] = ""


class Taint(Strict):
    """A core/v1 Taint."""

    key: s.LabelKey = ""
    value: s.LabelValue = ""
    effect: Annotated[str, s.one_of(defaults.TAINT_EFFECTS)] = ""
    time_added: s.Rfc3339 | None = None


class NodeRegistration(Strict):
    """What init and join register a node with."""

    name: s.NodeName = ""
    cri_socket: s.CriSocket = ""
    taints: list[Taint] | None = None
    kubelet_extra_args: list[KubeletArg] = []
    ignore_preflight_errors: list[s.Line] = []
    image_pull_policy: Annotated[str, s.one_of(defaults.IMAGE_PULL_POLICIES)] = ""
    image_pull_serial: bool | None = None


class LocalAPIEndpoint(Strict):
    """Where a control plane's own API server listens."""

    advertise_address: s.AdvertiseAddress = ""
    bind_port: s.BindPort = 0


class BootstrapToken(Strict):
    """A token that joins nodes."""

    token: s.Token | None = None
    description: s.Line = ""
    ttl: s.Duration | None = None
    expires: s.Rfc3339 | None = None
    usages: list[s.TokenUsage] = []
    groups: list[s.TokenGroup] = []


class Timeouts(Strict):
    """kubeadm's timeouts."""

    control_plane_component_health_check: s.Duration | None = None
    kubelet_health_check: s.Duration | None = None
    kubernetes_api_call: s.Duration | None = Field(None, alias="kubernetesAPICall")
    etcd_api_call: s.Duration | None = Field(None, alias="etcdAPICall")
    tls_bootstrap: s.Duration | None = None
    discovery: s.Duration | None = None
    upgrade_manifests: s.Duration | None = None


class Patches(Strict):
    """Where the operator's patches lie, on the machine that kubeadm-py runs on."""

    directory: s.LocalPath = ""


class InitConfiguration(Strict):
    """What init does on the first control-plane host."""

    bootstrap_tokens: list[BootstrapToken] = []
    dry_run: bool = False
    node_registration: NodeRegistration = NodeRegistration()
    local_api_endpoint: LocalAPIEndpoint = Field(LocalAPIEndpoint(), alias="localAPIEndpoint")
    certificate_key: s.CertificateKey = None
    skip_phases: list[str] = []
    patches: Patches | None = None
    timeouts: Timeouts = Timeouts()


class LocalEtcd(Strict):
    """The etcd member on a control-plane host."""

    image_repository: image_values.ImageRepository = ""
    image_tag: image_values.ImageTag = ""
    data_dir: s.AbsolutePath = ""
    extra_args: list[ExtraArg] = []
    extra_envs: list[EnvVar] = []
    server_cert_sans: list[s.EtcdCertSan] = Field([], alias="serverCertSANs")
    peer_cert_sans: list[s.EtcdCertSan] = Field([], alias="peerCertSANs")


class ExternalEtcd(Strict):
    """An etcd that others run."""

    endpoints: list[s.EtcdUrl] = []
    http_endpoints: list[s.EtcdUrl] = []
    ca_file: s.AbsolutePath = ""
    cert_file: s.AbsolutePath = ""
    key_file: s.AbsolutePath = ""


class Etcd(Strict):
    """One of the two."""

    local: LocalEtcd | None = None
    external: ExternalEtcd | None = None


class Networking(Strict):
    """Subnets are checked as a whole in config/check_networking.py."""

    service_subnet: str = ""
    pod_subnet: str = ""
    dns_domain: s.DnsSubdomain = ""


class Component(Strict):
    """What the config adds to a control-plane component."""

    extra_args: list[ExtraArg] = []
    extra_volumes: list[Volume] = []
    extra_envs: list[EnvVar] = []


class APIServer(Component):
    """The API server has names of its own besides."""

    cert_sans: list[s.CertSan] = Field([], alias="certSANs")


class Dns(Strict):
    """The CoreDNS add-on."""

    image_repository: image_values.ImageRepository = ""
    image_tag: image_values.ImageTag = ""
    disabled: bool = False


class Proxy(Strict):
    """The kube-proxy add-on."""

    disabled: bool = False


class ClusterConfiguration(Strict):
    """What all nodes share."""

    etcd: Etcd = Etcd()
    networking: Networking = Networking()
    kubernetes_version: str = ""
    control_plane_endpoint: s.Endpoint = ""
    api_server: APIServer = APIServer()
    controller_manager: Component = Component()
    scheduler: Component = Component()
    dns: Dns = Dns()
    proxy: Proxy = Proxy()
    certificates_dir: s.AbsolutePath = ""
    image_repository: image_values.ImageRepository = ""
    feature_gates: dict[str, bool] = {}
    cluster_name: s.Line = ""
    encryption_algorithm: Annotated[str, s.one_of(defaults.ENCRYPTION_ALGORITHMS)] = ""
    certificate_validity_period: s.Duration | None = None
    ca_certificate_validity_period: s.Duration | None = None


class BootstrapTokenDiscovery(Strict):
    """Discovery by a token and the CA's pin."""

    token: s.Token | None = None
    api_server_endpoint: s.EndpointWithPort = ""
    ca_cert_hashes: list[s.CaCertHash] = []
    unsafe_skip_ca_verification: bool = Field(False, alias="unsafeSkipCAVerification")


class FileDiscovery(Strict):
    """Discovery by a kubeconfig."""

    kube_config_path: s.LocalPath = ""


class Discovery(Strict):
    """How a joining host finds and trusts the cluster."""

    bootstrap_token: BootstrapTokenDiscovery | None = None
    file: FileDiscovery | None = None
    tls_bootstrap_token: s.OptionalToken = None


class JoinControlPlane(Strict):
    """What a joining control plane is told besides; an empty mapping already asks for one."""

    local_api_endpoint: LocalAPIEndpoint = Field(LocalAPIEndpoint(), alias="localAPIEndpoint")
    certificate_key: s.CertificateKey = None


class JoinConfiguration(Strict):
    """What join does on every host but the first."""

    dry_run: bool = False
    node_registration: NodeRegistration = NodeRegistration()
    ca_cert_path: s.AbsolutePath = ""
    discovery: Discovery | None = None
    control_plane: JoinControlPlane | None = None
    skip_phases: list[str] = []
    patches: Patches | None = None
    timeouts: Timeouts = Timeouts()
