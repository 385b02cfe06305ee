"""Render the API objects of a new cluster in kubeadm's order (kubeadm contract, section 7).

They are applied by server-side apply: none carries a status, a resourceVersion or a creation time.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model import images
from kubeadm_py.model.bootstrap import ADMINS_GROUP, NODE_TOKEN_GROUP
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.model.patches import COREDNS_DEPLOYMENT
from kubeadm_py.model.versions import KUBELET_CLIENT_BINDING_SINCE
from kubeadm_py.render import component_configs, engine
from kubeadm_py.render.arguments import proxy_variables
from kubeadm_py.render.cluster_configuration import cluster_configuration
from kubeadm_py.render.patching.apply import patched

Object = dict[str, Any]

COREDNS_REPLICAS = 2


def cluster_objects(
    cluster: ResolvedCluster,
    node: Node,
    *,
    ca_pem: bytes,
    tokens: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, str] = {},
) -> list[Mapping[str, Any]]:
    """Return every object that init creates, in order.

    `node` is the control plane that init runs on, `ca_pem` the cluster CA's certificates, `tokens` the
    Secrets of the bootstrap tokens, `environment` the host's variables (for kube-proxy's *_proxy ones).
    """
    server = f"https://{cluster.control_plane_endpoint or node.local_endpoint}"
    rendered: list[Mapping[str, Any]] = [
        *cluster_admins_binding(),
        *kubeadm_config(cluster),
        *kubelet_config_map(cluster),
        *tokens,
        *bootstrap_rbac(),
    ]
    if cluster.kubernetes_version >= KUBELET_CLIENT_BINDING_SINCE:
        rendered += kubelet_client_binding()
    rendered += cluster_info(server, ca_pem)
    if not cluster.dns.disabled:
        rendered += coredns(cluster)
    if not cluster.proxy_disabled:
        rendered += kube_proxy(cluster, environment)
    return rendered


def cluster_admins_binding() -> list[Object]:
    """Return the binding that makes the group in admin.conf administrators."""
    return engine.render_documents("cluster/cluster-admins.yaml.j2", admins_group=ADMINS_GROUP)


def kubeadm_config(cluster: ResolvedCluster) -> list[Object]:
    """Return the ConfigMap kubeadm-config and who may read it."""
    return engine.render_documents(
        "cluster/kubeadm-config.yaml.j2",
        cluster_configuration=engine.dump(cluster_configuration(cluster)).decode(),
        node_token_group=NODE_TOKEN_GROUP,
    )


def kubelet_config_map(cluster: ResolvedCluster) -> list[Object]:
    """Return the ConfigMap kubelet-config and who may read it."""
    data = {"kubelet": engine.dump(component_configs.kubelet_configuration(cluster)).decode()}
    return engine.render_documents(
        "cluster/kubelet-config.yaml.j2",
        data=data,
        annotations={} if cluster.kubelet_config_given else component_configs.hash_annotation(data),
        node_token_group=NODE_TOKEN_GROUP,
    )


def bootstrap_rbac() -> list[Object]:
    """Return what lets joining nodes ask for certificates and get them."""
    return engine.render_documents("cluster/bootstrap-rbac.yaml.j2", node_token_group=NODE_TOKEN_GROUP)


def kubelet_client_binding() -> list[Object]:
    """Return the binding by which the API server may call kubelets."""
    return engine.render_documents("cluster/kubelet-client.yaml.j2")


def cluster_info(server: str, ca_pem: bytes) -> list[Object]:
    """Return the public ConfigMap cluster-info, unsigned, and who may read it; `server` is a URL."""
    kubeconfig = engine.render_yaml(
        "cluster/cluster-info-kubeconfig.yaml.j2",
        ca_data=base64.b64encode(ca_pem).decode(),
        server=server,
    )
    return engine.render_documents(
        "cluster/cluster-info.yaml.j2", kubeconfig=engine.dump(kubeconfig).decode()
    )


def coredns(cluster: ResolvedCluster, *, replicas: int = 0) -> list[Object]:
    """Return CoreDNS; give the live `replicas` when applying over a Deployment that was scaled.

    Otherwise it has as many as the config says.
    """
    networking = cluster.networking
    rendered = engine.render_documents(
        "coredns/objects.yaml.j2",
        corefile=engine.render_text("coredns/Corefile.j2", dns_domain=networking.dns_domain),
        dns_ip=networking.dns_ip,
        image=images.coredns_image(cluster),
        replicas=replicas or cluster.dns.replicas or COREDNS_REPLICAS,
    )
    return [
        patched(item, COREDNS_DEPLOYMENT, cluster.init_patches) if item["kind"] == "Deployment" else item
        for item in rendered
    ]


def kube_proxy(cluster: ResolvedCluster, environment: Mapping[str, str] = {}) -> list[Object]:
    """Return kube-proxy; `environment` are the host's variables, of which it gets the *_proxy ones."""
    kubeconfig = engine.render_yaml("kube-proxy/kubeconfig.yaml.j2", server=f"https://{cluster.endpoint}")
    config = component_configs.kube_proxy_configuration(cluster)
    data = {
        # Both as kubeadm prints them, without the last line break: the hash is over these bytes.
        "config.conf": engine.dump(config).decode().rstrip("\n"),
        "kubeconfig.conf": engine.dump(kubeconfig, sort_keys=False).decode().rstrip("\n"),
    }
    node_name = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    return engine.render_documents(
        "kube-proxy/objects.yaml.j2",
        data=data,
        annotations={} if cluster.kube_proxy_config_given else component_configs.hash_annotation(data),
        image=images.kubernetes_image(cluster, "kube-proxy"),
        env=[node_name, *proxy_variables(environment)],
        node_token_group=NODE_TOKEN_GROUP,
    )


def kube_proxy_config_map(cluster: ResolvedCluster) -> Object:
    """Return the one of kube-proxy's objects that it reads at its start; no host's environment is in it."""
    return next(item for item in kube_proxy(cluster) if item["kind"] == "ConfigMap")
