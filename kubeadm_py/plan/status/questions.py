"""Put together what `status` asks a host besides the probe."""

from __future__ import annotations

import shlex

from kubeadm_py.kube import asking, etcd
from kubeadm_py.model import paths, ports
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.steps.objects.groups import KUBE_PROXY, skipped

PROXY_MODE = "proxy-mode"
READY, VERSION, NODES, PODS, CONFIG_MAP = "readyz", "version", "nodes", "pods", "kube-proxy"
DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS = "daemonsets", "deployments", "statefulsets"
ETCD_MEMBERS, ETCD_STATUS = "etcd-members", "etcd-status"
WORKLOADS = {DAEMON_SETS: "DaemonSet", DEPLOYMENTS: "Deployment", STATEFUL_SETS: "StatefulSet"}

_PATHS = {
    READY: "/readyz",
    VERSION: "/version",
    NODES: "/api/v1/nodes",
    PODS: "/api/v1/namespaces/kube-system/pods",
    CONFIG_MAP: "/api/v1/namespaces/kube-system/configmaps/kube-proxy",
    **{name: f"/apis/apps/v1/{name}" for name in WORKLOADS},
}
_SECONDS = 10


def questions(cluster: ResolvedCluster, node: Node) -> str:
    """Return the script."""
    asked = {}
    if node.role is not Role.ETCD and runs_proxy(cluster):
        asked[PROXY_MODE] = _proxy_mode(cluster)
    if node.role is Role.CONTROL_PLANE:
        kubectl = (
            f"kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {paths.ADMIN_CONF}"
            f" --server https://{node.local_endpoint} --request-timeout {_SECONDS}s get --raw"
        )
        asked |= {name: f"{kubectl} {shlex.quote(path)}" for name, path in _PATHS.items()}
    if node in cluster.etcd_members:
        access = etcd.Access.of_member(cluster.certificates_dir)
        asked[ETCD_MEMBERS] = etcd.command(["member", "list", "-w", "json"], access)
        asked[ETCD_STATUS] = etcd.command(["endpoint", "status", "--cluster", "-w", "json"], access)
    return asking.script(asked)


def runs_proxy(cluster: ResolvedCluster) -> bool:
    """Say whether the file has kube-proxy on its nodes."""
    return not cluster.proxy_disabled and not skipped(KUBE_PROXY, cluster)


def _proxy_mode(cluster: ResolvedCluster) -> str:
    given = str(cluster.kube_proxy_config.get("metricsBindAddress") or "")
    loopback = "[::1]" if ":" in str(cluster.kube_proxy_config.get("bindAddress") or "") else "127.0.0.1"
    place = given if given.rpartition(":")[2].isdecimal() else f"{loopback}:{ports.KUBE_PROXY_METRICS}"
    place = place.replace("0.0.0.0:", "127.0.0.1:")
    url = shlex.quote(f"http://{place}")
    return (
        f"curl --disable --silent --fail --noproxy '*' --max-time 3 {url}/proxyMode"
        f" || kubectl --kubeconfig /dev/null --server {url} --request-timeout 3s get --raw /proxyMode"
    )
