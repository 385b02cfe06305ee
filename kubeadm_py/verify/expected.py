"""Say what a host of the cluster must show; modes and owners come from the specs that wrote the files."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import requirements
from kubeadm_py.model import endpoint, host_settings, paths, ports
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Component
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import files as pki_files
from kubeadm_py.pki import requests as pki_requests
from kubeadm_py.pki.requests import CertificateRequest
from kubeadm_py.render import endpoint as endpoint_files
from kubeadm_py.render import kubelet, probes, static_pods

ETCD_DATA_MODE = 0o700


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """Hold a file's or directory's mode and owner; `optional` ones may be absent.

    `or_mode` is another mode that will do: kubeadm gives sa.pub one in init and another in join.
    """

    path: str
    mode: int
    owner: str = "root:root"
    optional: bool = False
    or_mode: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectedPort:
    """Hold a listening TCP port; `loopback_only` ones must not be open to the network."""

    port: int
    name: str
    loopback_only: bool = False


def files(cluster: ResolvedCluster, node: Node) -> list[ExpectedFile]:
    """List the files whose mode and owner matter on this host.

    CA keys are optional: in external-CA mode the operator keeps them.
    """
    facts, cluster = HostFacts(hostname=node.name), cluster.at(node)
    specs = kubelet.node_files(cluster, node, facts, joining=node.role is Role.WORKER)
    optional: set[str] = set()
    if node.role is Role.ETCD:
        specs += pki_files.certificate_files(pki_requests.requests(cluster, node))
        specs += static_pods.manifests(cluster, node, facts)
    if node.role is Role.CONTROL_PLANE:
        requests = _requests(cluster, node)
        optional = {request.key_path for request in requests if request.is_authority}
        specs += pki_files.certificate_files(requests)
        specs += pki_files.key_pair_files(pki_requests.key_pair_requests(cluster))
        kubeconfigs = pki_requests.kubeconfig_requests(cluster, node)
        specs += pki_files.kubeconfig_files(kubeconfigs)
        optional |= {request.path for request in kubeconfigs if request.path == paths.SUPER_ADMIN_CONF}
        specs += static_pods.manifests(cluster, node, facts)
    specs += endpoint_files.files(cluster, node, facts)
    public = [pair.public_key_path for pair in pki_requests.key_pair_requests(cluster)]
    listed = [
        ExpectedFile(
            spec.path,
            spec.mode,
            spec.owner,
            spec.path in optional,
            pki_files.PUBLIC_MODE if spec.path in public else None,
        )
        for spec in specs
    ]
    known = {file.path for file in listed}
    extra = [ExpectedFile(paths.KUBELET_CONF, 0o600), ExpectedFile(node.kubelet_client_certificate, 0o600)]
    if node.role is Role.ETCD:
        extra = []
    if node.role is Role.WORKER:
        extra.append(ExpectedFile(cluster.ca_cert_path, 0o644))
    elif cluster.etcd.local is not None:
        extra.append(ExpectedFile(cluster.etcd.local.data_dir, ETCD_DATA_MODE))
    return listed + [file for file in extra if file.path not in known]


def units(node: Node) -> list[str]:
    """List the units that run and start at boot."""
    runtime = "crio.service" if "crio" in node.cri_socket else "containerd.service"
    return [runtime, "kubelet.service"]


def listening(cluster: ResolvedCluster, node: Node) -> list[ExpectedPort]:
    """List the TCP ports that components listen on, kube-proxy's aside: it is a pod like others."""
    cluster = cluster.at(node)
    kubelet_local = "healthzPort" not in cluster.kubelet_config
    listed = []
    if node.role is not Role.ETCD:
        listed.append(ExpectedPort(int(cluster.kubelet_config.get("port") or ports.KUBELET), "kubelet"))
    if kubelet_local:
        closed = "healthzBindAddress" not in cluster.kubelet_config
        listed.append(ExpectedPort(ports.KUBELET_HEALTHZ, "kubelet's healthz", closed))
    if endpoint.runs_haproxy(cluster, node):
        beside_api_servers = node.role is Role.CONTROL_PLANE
        listed.append(ExpectedPort(endpoint.port(cluster), "the API's balancer", not beside_api_servers))
        listed.append(ExpectedPort(ports.BALANCER_HEALTH, "the balancer's health check", True))
    if node.role is Role.WORKER:
        return listed
    return listed + ([] if node.role is Role.ETCD else _components(cluster, node)) + _etcd(cluster, node)


def _components(cluster: ResolvedCluster, node: Node) -> list[ExpectedPort]:
    return [
        ExpectedPort(node.bind_port, "kube-apiserver"),
        ExpectedPort(
            probes.kube_controller_manager(cluster).port,
            "kube-controller-manager",
            _keeps_binding(cluster.controller_manager),
        ),
        ExpectedPort(
            probes.kube_scheduler(cluster).port, "kube-scheduler", _keeps_binding(cluster.scheduler)
        ),
    ]


def _etcd(cluster: ResolvedCluster, node: Node) -> list[ExpectedPort]:
    local = cluster.etcd.local
    if local is None:
        return []
    closed = all(argument.name != "listen-metrics-urls" for argument in local.extra_args)
    return [
        ExpectedPort(probes.etcd_clients(local, node).port, "etcd"),
        ExpectedPort(ports.ETCD_PEER, "etcd's peers"),
        ExpectedPort(probes.etcd_metrics(local, node).port, "etcd's metrics", closed),
    ]


def sysctls(cluster: ResolvedCluster) -> dict[str, str]:
    """List the kernel settings that pod traffic needs."""
    listed = {name: str(value) for name, value in host_settings.SYSCTLS.items()}
    networks = [*cluster.networking.pod_networks, *cluster.networking.service_networks]
    if any(network.version == 6 for network in networks):
        listed |= {name: str(value) for name, value in host_settings.SYSCTLS_IPV6.items()}
    return listed | dict(requirements.of(addons.resolve(cluster)).sysctls)


def enforces_policy(cluster: ResolvedCluster) -> bool | None:
    """Say whether the cluster's pod network promises to enforce NetworkPolicy; None where nobody says."""
    for item in addons.resolve(cluster):
        network = item.addon.pod_network
        if network is not None:
            policy = network.network_policy
            return policy is not None and policy.applies(dict(item.parameters))
    return None


def certificates(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List every certificate that the host carries, those inside kubeconfigs and the kubelet's included."""
    kubelet_client = CertificateRequest(
        name="kubelet-client",
        path=node.kubelet_client_certificate,
        common_name=f"system:node:{node.name}",
        organizations=("system:nodes",),
        usages=("clientAuth",),
        signer="ca",
        validity=cluster.certificate_validity,
        algorithm=cluster.key_algorithm,
        node=node.name,
    )
    if node.role is Role.ETCD:
        return pki_requests.requests(cluster.at(node), node)
    if node.role is not Role.CONTROL_PLANE:
        return [kubelet_client]
    kubeconfigs = [
        request.certificate
        for request in pki_requests.kubeconfig_requests(cluster, node)
        if request.path != paths.KUBELET_CONF
    ]
    return [*_requests(cluster, node), *kubeconfigs, kubelet_client]


def _requests(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List what is in a control plane's certificatesDir, its way to etcd's own hosts included."""
    own = pki_requests.requests(cluster, node)
    return [*own, *pki_requests.etcd_client_requests(cluster, node)]


def external_authorities(cluster: ResolvedCluster, node: Node, present: Container[str]) -> list[str]:
    """List the authorities whose keys this control plane does not have; none of a worker, which has none."""
    if node.role is not Role.CONTROL_PLANE:
        return []
    listed = pki_requests.authority_requests(cluster)
    return [request.name for request in listed if request.key_path not in present]


def certificate_file(request: CertificateRequest) -> str:
    """Return the file that holds a certificate of `certificates`."""
    holds_it_itself = request.path.endswith((".conf", ".pem"))
    return request.path if holds_it_itself else request.certificate_path


def key_pairs(cluster: ResolvedCluster, node: Node) -> list[tuple[str, str]]:
    """List (certificate, key) files that must belong together."""
    if node.role is Role.WORKER:
        return []
    requests = _requests(cluster.at(node), node)
    return [(request.certificate_path, request.key_path) for request in requests]


def _keeps_binding(component: Component) -> bool:
    return all(argument.name != "bind-address" for argument in component.extra_args)
