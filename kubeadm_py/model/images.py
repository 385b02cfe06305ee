"""Work out image references: the one place that knows the repository rules."""

from __future__ import annotations

from kubeadm_py.model import endpoint, versions
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node

DEFAULT_REPOSITORY = "registry.k8s.io"
TEST_IMAGE = f"{versions.TEST_IMAGE_REPOSITORY}:{versions.TEST_IMAGE_TAG}"


def kubernetes_image(cluster: ResolvedCluster, component: str) -> str:
    """Return the image of kube-apiserver, -controller-manager, -scheduler or -proxy."""
    return f"{cluster.image_repository}/{component}:{cluster.kubernetes_version.image_tag}"


def etcd_image(cluster: ResolvedCluster) -> str:
    """Return the image of the local etcd."""
    local = cluster.etcd.local
    repository = (local.image_repository if local else "") or cluster.image_repository
    tag = (local.image_tag if local else "") or versions.release(cluster.kubernetes_version).etcd_image_tag
    return f"{repository}/etcd:{tag}"


def coredns_image(cluster: ResolvedCluster) -> str:
    """Return CoreDNS's image; only the default repository has the sub path (kubeadm#2714)."""
    repository = cluster.dns.image_repository or cluster.image_repository
    if repository == DEFAULT_REPOSITORY:
        repository = f"{DEFAULT_REPOSITORY}/coredns"
    tag = cluster.dns.image_tag or versions.release(cluster.kubernetes_version).coredns_image_tag
    return f"{repository}/coredns:{tag}"


def pause_image(cluster: ResolvedCluster) -> str:
    """Return the sandbox image."""
    return f"{cluster.image_repository}/pause:{versions.release(cluster.kubernetes_version).pause_image_tag}"


def haproxy_image(cluster: ResolvedCluster) -> str:
    """Return the image of the balancer before the API servers."""
    tag = versions.release(cluster.kubernetes_version).haproxy_image_tag
    return f"{versions.HAPROXY_IMAGE_REPOSITORY}:{tag}"


def keepalived_image(cluster: ResolvedCluster) -> str:
    """Return the image of what holds a vip."""
    tag = versions.release(cluster.kubernetes_version).keepalived_image_tag
    return f"{versions.KEEPALIVED_IMAGE_REPOSITORY}:{tag}"


def endpoint_images(cluster: ResolvedCluster, node: Node) -> list[str]:
    """List what a host runs so that the API's endpoint answers."""
    listed = [haproxy_image(cluster)] if endpoint.runs_haproxy(cluster, node) else []
    return [*listed, keepalived_image(cluster)] if endpoint.runs_keepalived(cluster, node) else listed


def control_plane_images(cluster: ResolvedCluster) -> list[str]:
    """List what a control-plane host runs, in kubeadm's listing order."""
    listed = [
        kubernetes_image(cluster, component)
        for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    listed += worker_images(cluster)
    if cluster.etcd.local is not None:
        listed.append(etcd_image(cluster))
    return listed


def etcd_host_images(cluster: ResolvedCluster) -> list[str]:
    """List what a host of role etcd runs; `cluster` is as that host has it."""
    return [etcd_image(cluster), pause_image(cluster)]


def worker_images(cluster: ResolvedCluster) -> list[str]:
    """List what every host runs."""
    listed = [] if cluster.proxy_disabled else [kubernetes_image(cluster, "kube-proxy")]
    if not cluster.dns.disabled:
        listed.append(coredns_image(cluster))
    return [*listed, pause_image(cluster)]
