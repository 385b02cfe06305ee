"""Make the documents of `config print`: kubeadm's own, with its placeholders, and our defaults in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.timeouts import Timeouts
from kubeadm_py.model.times import go_duration
from kubeadm_py.render import component_configs
from kubeadm_py.render.cluster_configuration import API_VERSION, cluster_configuration

NODE_NAME = "node"
ADVERTISE_ADDRESS = "1.2.3.4"
API_ENDPOINT = "kube-apiserver:6443"
TOKEN = "abcdef.0123456789abcdef"  # noqa: S105 - kubeadm's placeholder
COMPONENTS = ("KubeletConfiguration", "KubeProxyConfiguration")

Document = dict[str, Any]
_PULLING = {"imagePullPolicy": "IfNotPresent", "imagePullSerial": True}
_API = {"kubernetes_api_call": "kubernetesAPICall", "etcd_api_call": "etcdAPICall"}


def init_defaults(cluster: ResolvedCluster, components: Collection[str] = ()) -> list[Document]:
    """Return what init takes where nothing is said; `components` are names of COMPONENTS."""
    configs = {
        "KubeletConfiguration": component_configs.kubelet_configuration,
        "KubeProxyConfiguration": component_configs.kube_proxy_configuration,
    }
    token = {
        "groups": [NODE_TOKEN_GROUP],
        "token": TOKEN,
        "ttl": "24h0m0s",
        "usages": ["signing", "authentication"],
    }
    init = _document(
        "InitConfiguration",
        bootstrapTokens=[token],
        localAPIEndpoint={"advertiseAddress": ADVERTISE_ADDRESS, "bindPort": 6443},
        nodeRegistration=_node_registration(),
        timeouts=_timeouts(),
    )
    return [
        init,
        cluster_configuration(cluster),
        *(configs[name](cluster) for name in COMPONENTS if name in components),
    ]


def join_defaults() -> list[Document]:
    """Return what join takes where nothing is said."""
    by_token = {"apiServerEndpoint": API_ENDPOINT, "token": TOKEN, "unsafeSkipCAVerification": True}
    return [
        _document(
            "JoinConfiguration",
            caCertPath=f"{paths.PKI_DIR}/ca.crt",
            discovery={"bootstrapToken": by_token, "tlsBootstrapToken": TOKEN},
            nodeRegistration=_node_registration(),
            timeouts=_timeouts(),
        )
    ]


def reset_defaults() -> list[Document]:
    """Return what reset takes where nothing is said."""
    return [
        _document(
            "ResetConfiguration",
            certificatesDir=paths.PKI_DIR,
            criSocket=paths.CONTAINERD_SOCKET,
            timeouts=_timeouts(),
        )
    ]


def upgrade_defaults() -> list[Document]:
    """Return what upgrades take where nothing is said."""
    renewing = {"certificateRenewal": True, "etcdUpgrade": True, **_PULLING}
    return [
        _document(
            "UpgradeConfiguration",
            apply=dict(renewing),
            diff={},
            node=dict(renewing),
            plan={"etcdUpgrade": True},
            timeouts=_timeouts(),
        )
    ]


def _document(kind: str, **content: Any) -> Document:
    return {"apiVersion": API_VERSION, "kind": kind, **content}


def _node_registration() -> Document:
    return {"criSocket": paths.CONTAINERD_SOCKET, "name": NODE_NAME, "taints": None, **_PULLING}


def _timeouts() -> dict[str, str]:
    defaults = Timeouts()
    return {_camel(each.name): go_duration(getattr(defaults, each.name)) for each in fields(defaults)}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return _API.get(name) or first + "".join(word.capitalize() for word in others)
