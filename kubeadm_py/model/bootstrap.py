"""Describe how hosts are let into a cluster: tokens, discovery, the groups that they speak for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kubeadm_py.model.secret import Secret

NODE_TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"  # noqa: S105 - a group's name
ADMINS_GROUP = "kubeadm:cluster-admins"


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
