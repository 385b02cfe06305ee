"""Hold kubeadm's timeouts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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
