"""Name every port once (kubeadm contract, section 0)."""

from __future__ import annotations

API_SERVER = 6443
SCHEDULER = 10259
CONTROLLER_MANAGER = 10257
KUBELET = 10250
KUBELET_HEALTHZ = 10248
KUBE_PROXY_METRICS = 10249
ETCD_CLIENT = 2379
ETCD_PEER = 2380
ETCD_METRICS = 2381
BALANCER_HEALTH = 10270
"""Where our haproxy says, on loopback, whether it has an API server to forward to."""
