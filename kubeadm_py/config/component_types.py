"""Type the keys of KubeletConfiguration and KubeProxyConfiguration that something of ours reads.

Both documents are handed on whole; every other key is the component's own affair.
"""
# ruff: noqa: RUF012 - pydantic copies a mutable default for each model

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from kubeadm_py.config import defaults
from kubeadm_py.config import scalars as s
from kubeadm_py.config.removed_values import REMOVED_PROXY_MODES
from kubeadm_py.strict import Strict


class Open(Strict):
    """Accept further keys of any type."""

    model_config = ConfigDict(extra="allow")


class Switch(Open):
    """Something that is on or off."""

    enabled: bool | None = None


class X509(Open):
    """Client certificates."""

    client_ca_file: s.AbsolutePath = Field("", alias="clientCAFile")


class Authentication(Open):
    """Who may talk to the kubelet."""

    x509: X509 = X509()
    webhook: Switch = Switch()
    anonymous: Switch = Switch()


class Authorization(Open):
    """What they may do."""

    mode: Annotated[str, s.one_of(("AlwaysAllow", "Webhook"))] = ""


class KubeletConfiguration(Open):
    """kubelet.config.k8s.io/v1beta1."""

    static_pod_path: s.AbsolutePath = ""
    cluster_dns: list[s.IPAddress] = Field([], alias="clusterDNS")
    cluster_domain: s.DnsSubdomain = ""
    authentication: Authentication = Authentication()
    authorization: Authorization = Authorization()
    healthz_bind_address: s.IPAddress = ""
    healthz_port: s.BindPort | None = None
    port: s.BindPort = 0
    read_only_port: s.BindPort = 0
    rotate_certificates: bool | None = None
    server_tls_bootstrap: bool = Field(False, alias="serverTLSBootstrap")
    cgroup_driver: Annotated[str, s.one_of(("systemd", "cgroupfs"))] = ""
    resolv_conf: s.LocalPath | None = None
    container_runtime_endpoint: s.CriSocket = ""
    fail_swap_on: bool | None = None
    fail_cgroup_v1: bool | None = Field(None, alias="failCgroupV1")
    max_pods: int | None = None
    oom_score_adj: int | None = None
    eviction_hard: dict[str, str] = {}
    image_gc_high_threshold_percent: int | None = Field(None, alias="imageGCHighThresholdPercent")
    image_gc_low_threshold_percent: int | None = Field(None, alias="imageGCLowThresholdPercent")
    feature_gates: dict[str, bool] = {}
    system_reserved: dict[str, str] = {}
    kube_reserved: dict[str, str] = {}
    memory_swap: dict[str, Any] = {}
    sync_frequency: s.Duration | None = None
    file_check_frequency: s.Duration | None = None
    http_check_frequency: s.Duration | None = None
    streaming_connection_idle_timeout: s.Duration | None = None
    node_status_update_frequency: s.Duration | None = None
    node_status_report_frequency: s.Duration | None = None
    image_minimum_gc_age: s.Duration | None = Field(None, alias="imageMinimumGCAge")
    image_maximum_gc_age: s.Duration | None = Field(None, alias="imageMaximumGCAge")
    volume_stats_agg_period: s.Duration | None = None
    cpu_manager_reconcile_period: s.Duration | None = None
    runtime_request_timeout: s.Duration | None = None
    eviction_pressure_transition_period: s.Duration | None = None
    shutdown_grace_period: s.Duration | None = None
    shutdown_grace_period_critical_pods: s.Duration | None = None


class ClientConnection(Open):
    """How kube-proxy reaches the API."""

    kubeconfig: s.AbsolutePath = ""


class Ipvs(Open):
    """The ipvs mode's settings."""

    scheduler: s.Line = ""


class Conntrack(Open):
    """Connection tracking."""

    max_per_core: int | None = None
    min: int | None = None


class KubeProxyConfiguration(Open):
    """kubeproxy.config.k8s.io/v1alpha1."""

    bind_address: s.IPAddress = ""
    healthz_bind_address: str = ""
    metrics_bind_address: str = ""
    client_connection: ClientConnection = ClientConnection()
    cluster_cidr: str = Field("", alias="clusterCIDR")
    mode: Annotated[str, s.one_of(defaults.PROXY_MODES, REMOVED_PROXY_MODES)] = ""
    ipvs: Ipvs = Ipvs()
    conntrack: Conntrack = Conntrack()
    oom_score_adj: int | None = Field(None, alias="oomScoreAdj")
    feature_gates: dict[str, bool] = {}
