"""Check what stands before the API servers, and work out the endpoint that it gives (design.md rule 14)."""

from __future__ import annotations

import ipaddress

from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.scalars import split_endpoint
from kubeadm_py.config.whole import Whole
from kubeadm_py.model import endpoint, ports
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Role

ENDPOINT: Path = ("spec", "endpoint")
_GIVEN: Path = ("controlPlaneEndpoint",)


def load_balancer(whole: Whole) -> LoadBalancer:
    """Return what the file asks for; by default whatever the operator runs."""
    return LoadBalancer(whole.cluster.value.spec.endpoint.load_balancer or LoadBalancer.EXTERNAL)


def derived_endpoint(whole: Whole) -> str:
    """Return the `host:port` that a balancer of ours brings; empty where the operator names it."""
    written = whole.cluster.value.spec.endpoint
    if load_balancer(whole) is LoadBalancer.VIP and written.vip:
        return join_host_port(written.vip, written.port or _bind_port(whole))
    if load_balancer(whole) is LoadBalancer.NODE_LOCAL:
        return join_host_port(endpoint.local_name(whole.cluster.value.metadata.name), _bind_port(whole))
    return ""


def check_endpoint(whole: Whole, problems: Problems) -> None:
    """Add every problem with spec.endpoint."""
    place, written = whole.cluster.document, whole.cluster.value.spec.endpoint
    kind = load_balancer(whole)
    if kind is LoadBalancer.EXTERNAL:
        _check_external(whole, problems)
        return
    if whole.cluster.value.spec.hosts and not whole.control_plane_here:
        message = f"{kind.value} balances over the control planes of this file, and it has none"
        problems.error(place, (*ENDPOINT, "loadBalancer"), message)
    if kind is LoadBalancer.VIP:
        _check_vip(whole, problems)
    else:
        _check_node_local(whole, problems)
    _check_bind_ports(whole, problems)
    given, ours = whole.cluster_configuration.value.control_plane_endpoint, derived_endpoint(whole)
    if given and ours and not _same(given, ours, _bind_port(whole)):
        message = f"{show(given)} contradicts spec.endpoint, which makes it {ours}; leave it out"
        problems.error(whole.cluster_configuration.document, _GIVEN, message)
    if written.port is not None and written.port in _TAKEN:
        message = f"{written.port} is the port of {_TAKEN[written.port]}, which listens on the same hosts"
        problems.error(place, (*ENDPOINT, "port"), message)


_TAKEN = {
    ports.SCHEDULER: "the scheduler",
    ports.CONTROLLER_MANAGER: "the controller manager",
    ports.KUBELET: "the kubelet",
    ports.KUBELET_HEALTHZ: "the kubelet's health check",
    ports.ETCD_CLIENT: "etcd",
    ports.ETCD_PEER: "etcd's peers",
    ports.ETCD_METRICS: "etcd's metrics",
    ports.BALANCER_HEALTH: "the balancer's health check",
}


def _check_external(whole: Whole, problems: Problems) -> None:
    place, written = whole.cluster.document, whole.cluster.value.spec.endpoint
    if written.vip:
        message = "only loadBalancer: vip brings an address; an external one stands in controlPlaneEndpoint"
        problems.error(place, (*ENDPOINT, "vip"), message)
    if written.port is not None:
        problems.error(place, (*ENDPOINT, "port"), "write the port into controlPlaneEndpoint")
    named = whole.cluster_configuration.value.control_plane_endpoint
    if written.load_balancer and not named and whole.control_plane_here:
        message = "ClusterConfiguration.controlPlaneEndpoint is missing: HOST:PORT of the load balancer"
        problems.missing(place, (*ENDPOINT, "loadBalancer"), message)


def _check_vip(whole: Whole, problems: Problems) -> None:
    place, vip = whole.cluster.document, whole.cluster.value.spec.endpoint.vip
    path: Path = (*ENDPOINT, "vip")
    if not vip:
        problems.missing(place, path, "missing; it is a free address in the control planes' subnet")
        return
    for index, host in enumerate(whole.cluster.value.spec.hosts):
        addresses = host.address.split(",") if host.address else []
        if vip in addresses:
            problems.error(place, path, f"{vip} is the address of hosts[{index}]; name one that is free")
        elif host.role == Role.CONTROL_PLANE and addresses:
            first = ipaddress.ip_address(addresses[0])
            if first.version != ipaddress.ip_address(vip).version:
                message = f"{vip} and the control plane's {first} are not of one family"
                problems.error(place, path, message)


def _check_node_local(whole: Whole, problems: Problems) -> None:
    place, written = whole.cluster.document, whole.cluster.value.spec.endpoint
    if written.vip:
        message = "node-local needs no address of its own: every node has its balancer; leave it out"
        problems.error(place, (*ENDPOINT, "vip"), message)
    if written.port not in (None, _bind_port(whole)):
        message = (
            f"{written.port} is not the API server's own, {_bind_port(whole)}; "
            "balancers on the nodes listen at that port: set localAPIEndpoint.bindPort"
        )
        problems.error(place, (*ENDPOINT, "port"), message)


def _check_bind_ports(whole: Whole, problems: Problems) -> None:
    """Where no balancer stands between, whoever answers at the endpoint does so at its API server's port."""
    joining = whole.join.value.control_plane
    other = joining.local_api_endpoint.bind_port if joining is not None else 0
    first = _bind_port(whole)
    kind, port = load_balancer(whole), whole.cluster.value.spec.endpoint.port
    shared = kind is LoadBalancer.NODE_LOCAL or port in (None, first, other)
    if other and other != first and shared:
        message = f"{other} is not the first control plane's {first}; {kind.value} needs the same everywhere"
        path: Path = ("controlPlane", "localAPIEndpoint", "bindPort")
        problems.error(whole.join.document, path, message)


def _same(given: str, ours: str, bind_port: int) -> bool:
    host, port = split_endpoint(given)
    return join_host_port(host, port or bind_port) == ours


def _bind_port(whole: Whole) -> int:
    return whole.init.value.local_api_endpoint.bind_port or ports.API_SERVER
