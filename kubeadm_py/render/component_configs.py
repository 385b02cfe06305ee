"""Render the configuration of kubelet and kube-proxy in the shape that kubeadm gives it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.render import engine

HASH_ANNOTATION = "kubeadm.kubernetes.io/component-config.hash"


def kubelet_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Return the cluster's KubeletConfiguration, without what differs from node to node."""
    return overlay(engine.render_yaml("kubelet/config.yaml.j2"), cluster.kubelet_config)


def kube_proxy_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Return the cluster's KubeProxyConfiguration."""
    return overlay(engine.render_yaml("kube-proxy/config.yaml.j2"), cluster.kube_proxy_config)


def overlay(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `given` over `defaults`, mapping by mapping; null leaves the default, as absence does."""
    merged = dict(defaults)
    for key, value in given.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = overlay(below, value)
        elif value is not None:
            merged[key] = value
    return merged


def hash_annotation(data: Mapping[str, str]) -> dict[str, str]:
    """Return the annotation by which `kubeadm upgrade` knows a config that no one has edited."""
    digest = hashlib.sha256("".join(data[key] for key in sorted(data)).encode())
    return {HASH_ANNOTATION: f"sha256:{digest.hexdigest()}"}
