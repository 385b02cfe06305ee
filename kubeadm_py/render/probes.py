"""Say where static pods answer: what the kubelet probes (kubeadm contract 5.1) and what our own waits ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from kubeadm_py.model import ports
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Component, LocalEtcd
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Node
from kubeadm_py.render import component_flags
from kubeadm_py.render.arguments import extra_value

_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound


@dataclass(frozen=True, slots=True)
class Probe:
    """Say where a component answers; an empty host is the pod's own address, which is its node's."""

    host: str
    port: int
    scheme: str = "HTTPS"

    def url(self, node: Node) -> str:
        """Return the base URL at which this node itself asks the component."""
        return f"{self.scheme.lower()}://{join_host_port(self.host or node.address, self.port)}"


def loopback(node: Node) -> str:
    """Return the loopback address that kubeadm uses: of the family of the advertised address."""
    return "::1" if ipaddress.ip_address(advertised(node)).version == 6 else "127.0.0.1"


def advertised(node: Node) -> str:
    """Return the address at which this node's API server and etcd member are known to others."""
    return node.advertise_address or node.address


def kube_apiserver(node: Node) -> Probe:
    """Ask the API server where the kubeconfigs of this host do, whatever its bind-address is."""
    return Probe(_specific(advertised(node)), node.bind_port)


def kube_controller_manager(cluster: ResolvedCluster) -> Probe:
    """Ask the controller manager where its flags let it listen."""
    return _component(
        cluster.controller_manager, component_flags.KUBE_CONTROLLER_MANAGER, ports.CONTROLLER_MANAGER
    )


def kube_scheduler(cluster: ResolvedCluster) -> Probe:
    """Ask the scheduler where its flags let it listen."""
    return _component(cluster.scheduler, component_flags.KUBE_SCHEDULER, ports.SCHEDULER)


def etcd_metrics(local: LocalEtcd, node: Node) -> Probe:
    """Ask the first of etcd's listen-metrics-urls, as the user set them or as we do.

    An address like 0.0.0.0 stays: the kubelet then asks the host itself, and kubeadm writes it too.
    """
    url = _first_url(local, "listen-metrics-urls")
    if not url or not url.hostname:
        return Probe(loopback(node), ports.ETCD_METRICS, "HTTP")
    return Probe(url.hostname, _port(url) or ports.ETCD_METRICS, url.scheme.upper())


def etcd_clients(local: LocalEtcd, node: Node) -> Probe:
    """Ask the first of etcd's listen-client-urls, at an address that its certificate has."""
    url = _first_url(local, "listen-client-urls")
    if not url or not url.hostname or url.scheme not in ("http", "https"):
        return Probe(loopback(node), ports.ETCD_CLIENT)
    host = _specific(url.hostname) or loopback(node)
    return Probe(host, _port(url) or ports.ETCD_CLIENT, url.scheme.upper())


def _component(component: Component, defaults: Mapping[str, str], port: int) -> Probe:
    address = extra_value(component.extra_args, "bind-address") or defaults["bind-address"]
    given = extra_value(component.extra_args, "secure-port") or ""
    # kubeadm's probes stay at the usual port: the kubelet then ends the component again and again. 0 is none.
    return Probe(_specific(address), (int(given) if given.isdecimal() else 0) or port)


def _specific(address: str) -> str:
    return "" if address in _ANY_ADDRESS else address


def _first_url(local: LocalEtcd, flag: str) -> SplitResult | None:
    try:
        return urlsplit((extra_value(local.extra_args, flag) or "").split(",")[0])
    except ValueError:
        return None


def _port(url: SplitResult) -> int:
    try:
        return url.port or 0
    except ValueError:
        return 0
