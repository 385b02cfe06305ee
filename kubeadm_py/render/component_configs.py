"""Render the configuration of kubelet and kube-proxy: the operator's keys over kubeadm's defaults."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from kubeadm_py.model import paths, ports
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.render import engine

HASH_ANNOTATION = "kubeadm.kubernetes.io/component-config.hash"


def kubelet_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Return the cluster's KubeletConfiguration, without what differs from node to node."""
    defaults = engine.render_yaml(
        "kubelet/config.yaml.j2",
        static_pod_path=paths.MANIFESTS_DIR,
        dns_ip=cluster.networking.dns_ip,
        dns_domain=cluster.networking.dns_domain,
        client_ca_file=f"{cluster.certificates_dir}/ca.crt",
        healthz_port=ports.KUBELET_HEALTHZ,
    )
    # kubeadm lets no one turn rotation off: without it nodes drop out after a year.
    return {**overlay(defaults, cluster.kubelet_config), "rotateCertificates": True}


def kube_proxy_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Return the cluster's KubeProxyConfiguration."""
    first = cluster.control_planes[0]
    advertise = ipaddress.ip_address(first.advertise_address or first.address)
    defaults = engine.render_yaml(
        "kube-proxy/config.yaml.j2",
        bind_address="::" if advertise.version == 6 else "0.0.0.0",  # noqa: S104 - kubeadm's default
        cluster_cidr=cluster.networking.pod_subnet,
    )
    return overlay(defaults, cluster.kube_proxy_config)


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
