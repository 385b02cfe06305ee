"""Give containerd and the kubelet the host's proxy, and keep cluster traffic off it."""

from __future__ import annotations

from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.node import Node, Proxy
from kubeadm_py.steps.prepare.text import render


def no_proxy(cluster: ResolvedCluster, node: Node, proxy: Proxy) -> tuple[str, ...]:
    """List what this host reaches directly.

    The kubelet and containerd talk to the API and to registries, never to other workers; so a worker that
    joins changes no other host.
    """
    own = [*node.addresses, *(address for peer in cluster.control_planes for address in peer.addresses)]
    networking = cluster.networking
    subnets = [str(network) for network in (*networking.service_networks, *networking.pod_networks)]
    discovered = cluster.discovery.api_server_endpoint if cluster.discovery else ""
    endpoints = [split_host_port(each)[0] for each in (cluster.control_plane_endpoint, discovered) if each]
    listed = ("localhost", "127.0.0.1", "::1", *own, *endpoints, *subnets)
    return tuple(dict.fromkeys((*listed, ".svc", f".{networking.dns_domain}", *proxy.no_proxy)))


def drop_in(path: str, cluster: ResolvedCluster, node: Node) -> list[FileSpec]:
    """Return what sets the proxy variables of a unit, PATH.conf and PATH.env; none where there is no proxy.

    Both spellings are set: programs differ in which one they read. A proxy URL may hold a password: systemd
    shows a unit's Environment= to every local user, but not what is in an EnvironmentFile=.
    """
    proxy = node.proxy
    if proxy is None or not (proxy.http or proxy.https):
        return []
    values = {
        "HTTP_PROXY": proxy.http,
        "HTTPS_PROXY": proxy.https,
        "NO_PROXY": ",".join(no_proxy(cluster, node, proxy)),
    }
    environment = [
        (spelling, value) for name, value in values.items() if value for spelling in (name, name.lower())
    ]
    variables = f"{path}.env"
    return [
        FileSpec(variables, render("http-proxy.env", environment=environment), 0o600, secret=True),
        FileSpec(f"{path}.conf", render("http-proxy.conf", variables=variables), 0o644),
    ]
