"""Type our own document, kubeadm-py.io/v1alpha1 Cluster (design.md section 1)."""
# ruff: noqa: RUF012 - pydantic copies a mutable default for each model

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from kubeadm_py.addons import find
from kubeadm_py.config import defaults, registry_values, ssh_values
from kubeadm_py.config import scalars as s
from kubeadm_py.config.kubeadm_types import NodeRegistration, Taint
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.model.cluster import ArtifactSource, LoadBalancer
from kubeadm_py.model.node import Role
from kubeadm_py.strict import Strict


def _addon(value: Any) -> Any:
    """Take `- flannel` for `- {name: flannel}`."""
    return {"name": value} if isinstance(value, str) else value


def _role(value: Any) -> Any:
    return defaults.ROLE_ALIASES.get(value, value) if isinstance(value, str) else value


class Metadata(Strict):
    """The cluster's name."""

    name: s.DnsLabel = ""


class Ssh(Strict):
    """How hosts are reached, unless a host says otherwise."""

    user: ssh_values.SshUser = ""
    host: ssh_values.SshHost = ""
    port: s.Port | None = None
    identity_file: s.LocalPath = ""
    host_keys: ssh_values.HostKeysPolicy = ""
    known_hosts: s.LocalPath = ""
    bastion: ssh_values.Bastion = ""
    sudo: bool | None = None
    sudo_password_file: s.LocalPath = ""


class HostSsh(Ssh):
    """How one host is reached."""

    host_key: ssh_values.SshHostKey = ""


class HostProxy(Strict):
    """The proxy of a host's units."""

    http: s.Url = ""
    https: s.Url = ""
    no_proxy: list[s.Line] = []


def _static_pod(value: Any) -> Any:
    """Take `- ./pod.yaml` for `- {source: ./pod.yaml}`."""
    return {"source": value} if isinstance(value, str) else value


class OwnFile(Strict):
    """One file of the operator's own."""

    path: s.Line = ""
    content: str | None = None
    source: s.LocalPath = ""
    mode: s.FileMode = ""
    owner: s.FileOwner = ""
    secret: bool = False


class StaticPod(Strict):
    """One static pod of the operator's own."""

    source: s.LocalPath = ""
    manifest: dict[str, Any] | None = None


class Host(Strict):
    """One host."""

    name: s.NodeName = ""
    role: Annotated[str, BeforeValidator(_role), s.one_of(role.value for role in Role)] = ""
    address: s.HostAddresses = ""
    ssh: HostSsh = HostSsh()
    labels: dict[s.LabelKey, s.LabelValue] = {}
    taints: list[Taint] | None = None
    node_registration: NodeRegistration = NodeRegistration()
    files: list[OwnFile] = []
    static_pods: list[Annotated[StaticPod, BeforeValidator(_static_pod)]] = []
    proxy: HostProxy | None = None


class Endpoint(Strict):
    """Who balances the API."""

    load_balancer: Annotated[str, s.one_of(balancer.value for balancer in LoadBalancer)] = ""
    vip: s.HostAddress = ""
    port: s.Port | None = None


class Registry(Strict):
    """How one image registry is reached."""

    mirrors: list[registry_values.Mirror] = []
    plain_http: Annotated[bool, Field(alias="plainHTTP")] = False
    ca_file: s.LocalPath = ""
    credentials_file: s.LocalPath = ""
    replace_with: registry_values.Repository = ""
    pull_secrets: list[s.DnsSubdomain] = []


class ClusterDns(Strict):
    """What kubeadm's documents have no field for of the cluster's DNS."""

    replicas: s.Replicas | None = None


class Artifacts(Strict):
    """Where binaries and images come from."""

    source: Annotated[str, s.one_of(source.value for source in ArtifactSource)] = ""
    path: s.LocalPath = ""
    public_key: s.LocalPath = ""


class Addon(Strict):
    """One add-on and its parameters."""

    name: s.Line = ""
    path: s.LocalPath = ""
    parameters: dict[str, Any] = {}

    @property
    def source(self) -> str:
        """Return its name or its path, whichever was given."""
        return self.path or self.name

    @property
    def is_local(self) -> bool:
        """Say whether it lies in a folder or manifest of the user's own."""
        return bool(self.path) or find.is_path(self.name)

    def located(self, folder: Path) -> str:
        """Return its name, or where it lies on this machine; relative paths begin at the config's folder."""
        return on_this_machine(self.source, folder) if self.is_local else self.name


class Spec(Strict):
    """The cluster's hosts and what goes onto them."""

    ssh: Ssh = Ssh()
    hosts: list[Host] = []
    endpoint: Endpoint = Endpoint()
    dns: ClusterDns = ClusterDns()
    registries: dict[registry_values.RegistryName, Registry] = {}
    artifacts: Artifacts = Artifacts()
    addons: list[Annotated[Addon, BeforeValidator(_addon)]] = []


class Cluster(Strict):
    """A whole cluster."""

    metadata: Metadata = Metadata()
    spec: Spec = Field(default=Spec())
