"""Name what other installers and pod networks leave on a host."""

from __future__ import annotations

FOREIGN_UNITS = (
    "kube-apiserver.service",
    "kube-controller-manager.service",
    "kube-scheduler.service",
    "kube-proxy.service",
    "etcd.service",
    "flanneld.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "k0scontroller.service",
    "k0sworker.service",
    "snap.microk8s.daemon-kubelite.service",
)
"""Units of Kubernetes installs that do not run their components as static pods."""

CNI_INTERFACES = (
    "cni0",
    "flannel.1",
    "cbr0",
    "tunl0",
    "vxlan.calico",
    "cilium_host",
    "weave",
    "kube-bridge",
)
"""Interfaces that pod networks make on a host."""
