"""Look what the running processes of a host serve on the wire, and since when they run."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths, ports, times
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import expiry
from kubeadm_py.pki.expiry import Identity
from kubeadm_py.render import probes
from kubeadm_py.render.arguments import extra_value
from kubeadm_py.steps import renew
from kubeadm_py.token import tls_stream

TIMEOUT_SECONDS = 5.0
COLUMNS = ("SERVED BY", "PORT", "EXPIRES", "RESIDUAL TIME", "FROM FILE")
_KUBELET_PKI = f"{paths.KUBELET_DIR}/pki"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Say where a component serves, and which file its certificate comes from; '' where it makes its own."""

    component: str
    address: str
    port: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """Hold what one port served; `problem` says why nothing is known of it."""

    endpoint: Endpoint
    expires: datetime | None = None
    serial: str = ""
    matches: bool | None = None
    """Whether it is the file's certificate; None where there is no file to compare it with."""
    problem: str = ""

    def cells(self, now: datetime) -> tuple[str, ...]:
        """Return the cells under COLUMNS."""
        port = str(self.endpoint.port) if self.endpoint.port else "-"
        if self.expires is None:
            return (self.endpoint.component, port, self.problem, "", self.endpoint.path)
        source = self.endpoint.path or "made by the process itself"
        if self.matches is False:
            source = f"not the one in {self.endpoint.path}: restart {self.endpoint.component}"
        remaining = times.short_duration(self.expires - now)
        return (self.endpoint.component, port, expiry.day(self.expires), remaining, source)

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return plain values beside kubeadm's own."""
        return {
            "component": self.endpoint.component,
            "address": self.endpoint.address,
            "port": self.endpoint.port,
            "expirationDate": times.rfc3339(self.expires) if self.expires else None,
            "residualTime": int((self.expires - now).total_seconds()) if self.expires else 0,
            "serialNumber": self.serial,
            "file": self.endpoint.path,
            "servesFile": self.matches,
            "problem": self.problem,
        }


def endpoints(cluster: ResolvedCluster, node: Node) -> list[Endpoint]:
    """List the TLS ports of a host's components."""
    port = int(cluster.kubelet_config.get("port") or ports.KUBELET)
    kubelet = Endpoint("kubelet", node.address, port, _kubelet_certificate(cluster))
    if node.role is Role.WORKER:
        return [kubelet]
    if node.role is Role.ETCD:
        # Its kubelet serves nobody.
        return _etcd(cluster, node)
    pki = cluster.certificates_dir
    api, manager = probes.kube_apiserver(node), probes.kube_controller_manager(cluster)
    scheduler = probes.kube_scheduler(cluster)
    given = [
        extra_value(component.extra_args, "tls-cert-file") or ""
        for component in (cluster.api_server, cluster.controller_manager, cluster.scheduler)
    ]
    listed = [
        Endpoint("kube-apiserver", api.host or node.address, api.port, given[0] or f"{pki}/apiserver.crt"),
        Endpoint("kube-controller-manager", manager.host or node.address, manager.port, given[1]),
        Endpoint("kube-scheduler", scheduler.host or node.address, scheduler.port, given[2]),
    ]
    return [*listed, *_etcd(cluster, node), kubelet]


def _etcd(cluster: ResolvedCluster, node: Node) -> list[Endpoint]:
    pki, local = cluster.certificates_dir, cluster.at(node).etcd.local
    if local is None:
        return []
    clients = probes.etcd_clients(local, node)
    return [
        Endpoint("etcd", clients.host or node.address, clients.port, f"{pki}/etcd/server.crt"),
        Endpoint("etcd", probes.advertised(node), ports.ETCD_PEER, f"{pki}/etcd/peer.crt"),
    ]


def look(cluster: ResolvedCluster, session: Session) -> list[Served]:
    """Ask each port of a host through a tunnel; of the kubelet's client certificate its file is looked at."""
    found = [_ask(session, endpoint) for endpoint in endpoints(cluster, session.node)]
    client = Endpoint("kubelet (client)", "", 0, session.node.kubelet_client_certificate)
    fact = session.facts.files.get(client.path)
    certificate = expiry.of_file(fact)
    if certificate is None:
        return found
    return [*found, _served(client, certificate, None)]


def started(session: Session) -> dict[str, float] | None:
    """Return when the static pods' containers were made, as Unix times of the host's clock.

    Those that do not run are left out; None where the runtime does not answer.
    """
    listed = "|".join(renew.COMPONENTS)
    asked = f"# since when\nPATH={paths.SEARCH_PATH}; crictl ps --name '^({listed})$' -o json"
    result = session.host.run(asked, timeout=30)
    if not result.ok:
        return None
    try:
        containers = json.loads(result.stdout)["containers"]
        return {
            str(container["metadata"]["name"]): int(container["createdAt"]) / 1e9
            for container in containers
            if container["labels"].get("io.kubernetes.pod.namespace") == "kube-system"
        }
    except (ValueError, KeyError, TypeError):
        return {}


def _kubelet_certificate(cluster: ResolvedCluster) -> str:
    if cluster.kubelet_config.get("tlsCertFile"):
        return str(cluster.kubelet_config["tlsCertFile"])
    rotated = bool(cluster.kubelet_config.get("serverTLSBootstrap"))
    return f"{_KUBELET_PKI}/{'kubelet-server-current.pem' if rotated else 'kubelet.crt'}"


def _ask(session: Session, endpoint: Endpoint) -> Served:
    try:
        with (
            session.host.tunnel(endpoint.address, endpoint.port, TIMEOUT_SECONDS) as stream,
            tls_stream.deadline(stream, TIMEOUT_SECONDS),
        ):
            served = tls_stream.TLSStream(stream, tls_stream.unverified_context(), endpoint.address)
            certificate = expiry.of_der(served.peer_certificate())
    except ConnectionRefusedError:
        return Served(endpoint, problem="nothing listens")
    except (TimeoutError, ssl.SSLError, EOFError, OSError, ValueError) as error:
        return Served(endpoint, problem=f"no answer: {str(error) or type(error).__name__}")
    except KubeadmPyError as error:
        return Served(endpoint, problem=error.summary)
    return _served(endpoint, certificate, expiry.of_file(session.facts.files.get(endpoint.path)))


def _served(endpoint: Endpoint, found: Identity, file: Identity | None) -> Served:
    return Served(endpoint, found.expires, found.serial, None if file is None else found == file)
