"""Hold the cluster that is verified: what it should be, and a testinfra host for each node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import yaml

from kubeadm_py.errors import KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Dns, Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role, Taint
from kubeadm_py.model.versions import DEFAULT_VERSION, Version
from kubeadm_py.transport.base import Host
from kubeadm_py.verify import survey
from kubeadm_py.verify.backend import testinfra_host
from kubeadm_py.verify.kubectl import Kubectl
from kubeadm_py.verify.survey import Survey

_WORKERS = 16
_SPLIT = "--- kubeadm-config ---"


@dataclass(frozen=True, slots=True)
class Target:
    """Join the expected cluster with its hosts by node name."""

    cluster: ResolvedCluster
    hosts: Mapping[str, Any]

    def survey_all(self) -> dict[str, Survey | KubeadmPyError]:
        """Survey every host at the same time; a host that cannot be reached gives its error."""

        def one(node: Node) -> Survey | KubeadmPyError:
            try:
                script = survey.script(self.cluster, node)
                answer = _ask(self.hosts[node.name], script, timeout=survey.TIMEOUT)
                return survey.parse(answer.stdout)
            except KubeadmPyError as error:
                return error

        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(
                zip(
                    (node.name for node in self.cluster.nodes), pool.map(one, self.cluster.nodes), strict=True
                )
            )

    def kubectl(self) -> Kubectl:
        """Return kubectl on the first control plane that can be reached; raise its error where none can."""
        first_error: KubeadmPyError | None = None
        for node in self.cluster.control_planes:
            try:
                _ask(self.hosts[node.name], "true", timeout=20.0)
            except KubeadmPyError as error:
                first_error = first_error or error
                continue
            return Kubectl(self.hosts[node.name], node.name)
        raise first_error or UsageError("the cluster has no control-plane host to ask")


def target_of(cluster: ResolvedCluster, hosts: Callable[[Node], Host]) -> Target:
    """Return the target of a cluster whose config is known."""
    return Target(cluster, {node.name: testinfra_host(hosts(node)) for node in cluster.nodes})


def discover(hosts: Sequence[Any]) -> Target:
    """Return the target of testinfra hosts of which nothing is known: the cluster itself is asked.

    One of them must be a control plane. What the cluster does not tell (labels and taints that its
    config asked for) is taken as it is found.
    """
    seen = [(host, *_look_at(host)) for host in hosts]
    control_plane = next((host for host, _, is_control_plane in seen if is_control_plane), None)
    if control_plane is None:
        raise UsageError(
            f"none of the hosts has {paths.ADMIN_CONF}",
            fix="name a control-plane host in --hosts; add --sudo where the user is not root",
        )
    answer = _ask(
        control_plane,
        f"KUBECONFIG={paths.ADMIN_CONF}; export KUBECONFIG; kubectl get nodes -o json && echo '{_SPLIT}' && "
        "kubectl -n kube-system get configmap kubeadm-config -o 'jsonpath={.data.ClusterConfiguration}'",
    )
    if answer.rc != 0:
        raise UsageError(
            "the cluster does not tell its nodes and its config", details=[answer.stderr.strip()]
        )
    nodes_text, _, config_text = answer.stdout.partition(_SPLIT)
    cluster = live_cluster(json.loads(nodes_text)["items"], yaml.safe_load(config_text))
    matched: dict[str, Any] = {}
    for host, addresses, _ in seen:
        name = next((node.name for node in cluster.nodes if addresses & set(node.addresses)), None)
        if name is None:
            raise UsageError(f"{host.backend.get_hostname()} is none of the cluster's nodes")
        matched[name] = host
    present = tuple(node for node in cluster.nodes if node.name in matched)
    return Target(replace(cluster, nodes=present), matched)


def live_cluster(nodes: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> ResolvedCluster:
    """Describe a cluster from its Node objects and its stored ClusterConfiguration."""
    networking = config.get("networking") or {}
    etcd = config.get("etcd") or {}
    return ResolvedCluster(
        name=str(config.get("clusterName", "kubernetes")),
        kubernetes_version=Version.parse(str(config.get("kubernetesVersion", DEFAULT_VERSION))),
        nodes=tuple(_live_node(node) for node in nodes),
        cluster_name=str(config.get("clusterName", "kubernetes")),
        control_plane_endpoint=str(config.get("controlPlaneEndpoint", "")),
        networking=Networking(
            service_subnet=str(networking.get("serviceSubnet", "10.96.0.0/12")),
            pod_subnet=str(networking.get("podSubnet", "")),
            dns_domain=str(networking.get("dnsDomain", "cluster.local")),
        ),
        etcd=_live_etcd(etcd),
        api_server_cert_sans=tuple((config.get("apiServer") or {}).get("certSANs") or ()),
        dns=Dns(disabled=bool((config.get("dns") or {}).get("disabled"))),
        proxy_disabled=bool((config.get("proxy") or {}).get("disabled")),
        certificates_dir=str(config.get("certificatesDir", paths.PKI_DIR)),
    )


def _live_etcd(etcd: Mapping[str, Any]) -> Etcd:
    if etcd.get("external"):
        return Etcd(local=None, external=ExternalEtcd(tuple(etcd["external"].get("endpoints") or ())))
    return Etcd(local=LocalEtcd(data_dir=(etcd.get("local") or {}).get("dataDir", paths.ETCD_DATA_DIR)))


def _live_node(node: Mapping[str, Any]) -> Node:
    labels = node["metadata"].get("labels", {})
    addresses = [
        each["address"] for each in node["status"].get("addresses", []) if each["type"] == "InternalIP"
    ]
    taints = [
        Taint(each["key"], each["effect"], each.get("value", ""))
        for each in node["spec"].get("taints", [])
        if not each["key"].startswith("node.kubernetes.io/")
    ]
    control_plane = "node-role.kubernetes.io/control-plane" in labels
    return Node(
        name=node["metadata"]["name"],
        role=Role.CONTROL_PLANE if control_plane else Role.WORKER,
        addresses=tuple(addresses),
        taints=tuple(taints),
    )


def _ask(host: Any, script: str, **options: Any) -> Any:
    """Run a script on a testinfra host; its own backends raise RuntimeError where ssh itself fails."""
    try:
        return host.run(script, **options)
    except RuntimeError as error:
        said = getattr(error.args[0] if error.args else None, "stderr", "") or str(error)
        raise UnreachableError(
            f"{host.backend.get_hostname()} cannot be reached: {said.strip()}",
            fix="try it by hand, with the same --ssh-config: ssh -F FILE HOST",
        ) from error


def _look_at(host: Any) -> tuple[set[str], bool]:
    answer = _ask(
        host, f"ip -o addr show scope global | awk '{{ print $4 }}'; test -r {paths.ADMIN_CONF} && echo yes"
    )
    lines = answer.stdout.split()
    return {line.partition("/")[0] for line in lines if line != "yes"}, "yes" in lines
