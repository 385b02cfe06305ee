"""Render what a host needs so that the API's endpoint answers: a balancer, and an address that moves."""

from __future__ import annotations

import hashlib
import ipaddress
import posixpath
import re
from collections.abc import Iterable
from typing import Any

from kubeadm_py.model import endpoint, images, paths, ports
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.render import engine
from kubeadm_py.render.host_paths import HostPath
from kubeadm_py.render.static_pods import MANIFEST_MODE

HAPROXY = "haproxy"
KEEPALIVED = "keepalived"
CONFIG_ANNOTATION = "kubeadm-py.io/config-sha256"
"""On a pod, of what it reads at start only: the pod is replaced when it changes."""

_KEEPALIVED_RUN = "/run/keepalived"
_NOBODY = 65534
_FIRST_FREE_PORT = 1024
_MAX_CONNECTIONS = 8192
# A host that is dead is out after 1 + 0.5 + 0.3 + 0.5 s at the latest: an interval, a connect that is given
# up, a second look. An API server that answers slowly has the whole timeout.
_INTERVAL_MS = 1000
_FAST_MS = 300
_CONNECT_MS = 500
_CHECK_MS = 3000
_UNACKNOWLEDGED_MS = 2000


def files(cluster: ResolvedCluster, node: Node, facts: HostFacts, *, moving: bool = False) -> list[FileSpec]:
    """Return configs and manifests of this host, each config before its manifest; none for most hosts.

    While the endpoint is `moving` its old port and its old vip, as the host's configs have them, stay beside
    the new ones.
    """
    written: list[FileSpec] = []
    if endpoint.runs_haproxy(cluster, node):
        binds = _binds(cluster, endpoint.port(cluster))
        written += _haproxy(cluster, node, [*binds, *(present_binds(facts) if moving else ())])
    if endpoint.runs_keepalived(cluster, node):
        vips = [endpoint.vip(cluster), *(present_vips(facts) if moving else ())]
        written += _keepalived(cluster, node, facts, list(dict.fromkeys(vips)))
    return written


_BIND = re.compile(r"^    bind (\S+)$", re.MULTILINE)
_VIP = re.compile(r"^    ([0-9a-fA-F.:]+)/\d+ dev \S+$", re.MULTILINE)


def present_binds(facts: HostFacts) -> list[str]:
    """Return where the host's balancer listens for the API's clients, by its config."""
    return [
        bind
        for bind in _BIND.findall(_present(facts, paths.HAPROXY_CONFIG))
        if not bind.endswith(f":{ports.BALANCER_HEALTH}")
    ]


def present_vips(facts: HostFacts) -> list[str]:
    """Return the addresses that the host's keepalived may hold, by its config."""
    return _VIP.findall(_present(facts, paths.KEEPALIVED_CONFIG))


def _present(facts: HostFacts, path: str) -> str:
    fact = facts.files.get(path)
    return ((fact.content if fact is not None else None) or b"").decode(errors="replace")


def manifest_path(name: str) -> str:
    """Return the path of a pod's manifest."""
    return f"{paths.MANIFESTS_DIR}/{name}.yaml"


def _haproxy(cluster: ResolvedCluster, node: Node, binds: Iterable[str]) -> list[FileSpec]:
    places = list(dict.fromkeys(binds))
    config = engine.render_text(
        "endpoint/haproxy.cfg.j2",
        cluster=cluster.name,
        max_connections=_MAX_CONNECTIONS,
        connect_ms=_CONNECT_MS,
        check_ms=_CHECK_MS,
        interval_ms=_INTERVAL_MS,
        fast_ms=_FAST_MS,
        unacknowledged_ms=_UNACKNOWLEDGED_MS,
        binds=places,
        ca=_ca(cluster, node),
        servers=[
            {"name": peer.name, "place": _place(endpoint.own_address(peer), peer.bind_port)}
            for peer in cluster.control_planes
        ],
        health_port=ports.BALANCER_HEALTH,
    )
    read = FileSpec(paths.HAPROXY_CONFIG, config.encode())
    low = any(int(place.rpartition(":")[2]) < _FIRST_FREE_PORT for place in places)
    folder = posixpath.dirname(read.path)
    # A file that is mounted by itself stays the old one when it is replaced.
    mounted = [HostPath("config", folder, folder, "Directory"), _file("ca", _ca(cluster, node))]
    pod = engine.render_yaml(
        "static-pods/haproxy.yaml.j2",
        image=images.haproxy_image(cluster),
        command=["sh", "-c", engine.render_text("endpoint/run-haproxy.j2", config=read.path)],
        user=0 if low else _NOBODY,
        capabilities={"drop": ["ALL"], **({"add": ["NET_BIND_SERVICE"]} if low else {})},
        health_port=ports.BALANCER_HEALTH,
        **_volumes(mounted),
    )
    return [read, _manifest(HAPROXY, pod)]


def _binds(cluster: ResolvedCluster, port: int) -> list[str]:
    """Return where the balancer listens: beside a vip everywhere, for the address may be elsewhere now."""
    if cluster.load_balancer is LoadBalancer.NODE_LOCAL:
        return [_place(endpoint.LOOPBACK, port)]
    return [_place("::" if ":" in endpoint.vip(cluster) else "0.0.0.0", port)]  # noqa: S104 - see above


def _place(address: str, port: int) -> str:
    """Return an address as haproxy reads it: what follows the last colon is the port, and no brackets."""
    return f"{address}:{port}"


def _keepalived(
    cluster: ResolvedCluster, node: Node, facts: HostFacts, vips: Iterable[str]
) -> list[FileSpec]:
    addresses = [ipaddress.ip_address(vip) for vip in vips]
    own = endpoint.own_address(node)
    balanced = endpoint.runs_haproxy(cluster, node)
    local = f"http://{endpoint.LOOPBACK}:{ports.BALANCER_HEALTH}/readyz"
    check = engine.render_text(
        "endpoint/check.j2",
        away=paths.KEEPALIVED_AWAY,
        url=local if balanced else f"https://{node.local_endpoint}/readyz",
    )
    config = engine.render_text(
        "endpoint/keepalived.conf.j2",
        cluster=cluster.name,
        node=node.name,
        check=paths.KEEPALIVED_CHECK,
        interface=interface_of(own, facts),
        address=own,
        # Without a peer keepalived speaks to everybody by multicast: who is alone speaks to itself, unheard.
        peers=[endpoint.own_address(peer) for peer in cluster.control_planes if peer.name != node.name]
        or ["::1" if ":" in own else endpoint.LOOPBACK],
        # One router an address: of hosts that know an old and a new one, and of those that know the old one
        # only, one holds each.
        instances=[
            {
                "name": "api" if position == 0 else f"api-{position + 1}",
                "router": vip.packed[-1] or 1,
                "vip": vip,
                "prefix": vip.max_prefixlen,
            }
            for position, vip in enumerate(addresses)
        ],
    )
    read = [
        FileSpec(paths.KEEPALIVED_CHECK, check.encode(), 0o755),
        FileSpec(paths.KEEPALIVED_CONFIG, config.encode()),
    ]
    folder = posixpath.dirname(paths.KEEPALIVED_CONFIG)
    volumes = _volumes([HostPath("config", folder, folder, "Directory")])
    volumes["volumes"].append({"name": "run", "emptyDir": {"medium": "Memory"}})
    volumes["volume_mounts"].append({"name": "run", "mountPath": _KEEPALIVED_RUN})
    pod = engine.render_yaml(
        "static-pods/keepalived.yaml.j2",
        annotations=_annotations(read),
        image=images.keepalived_image(cluster),
        command=[
            "keepalived",
            "--dont-fork",
            "--vrrp",
            "--log-console",
            f"--pid={_KEEPALIVED_RUN}/keepalived.pid",
            f"--vrrp_pid={_KEEPALIVED_RUN}/vrrp.pid",
            f"--use-file={paths.KEEPALIVED_CONFIG}",
        ],
        **volumes,
    )
    return [*read, _manifest(KEEPALIVED, pod)]


def interface_of(address: str, facts: HostFacts) -> str:
    """Return the interface that has an address; that of the default route where none is known to."""
    wanted = ipaddress.ip_address(address)
    for interface in facts.interfaces:
        if any(ipaddress.ip_interface(cidr).ip == wanted for cidr in interface.addresses):
            return interface.name
    return facts.default_route_interface or "eth0"


def _ca(cluster: ResolvedCluster, node: Node) -> str:
    if node.role is Role.CONTROL_PLANE:
        return f"{cluster.certificates_dir}/ca.crt"
    return cluster.ca_cert_path


def _file(name: str, path: str) -> HostPath:
    return HostPath(name, path, path, "File")


def _volumes(mounted: Iterable[HostPath]) -> dict[str, list[Any]]:
    listed = list(mounted)
    return {
        "volume_mounts": [path.mount() for path in listed],
        "volumes": [path.volume() for path in listed],
    }


def _annotations(read: Iterable[FileSpec]) -> dict[str, str]:
    digest = hashlib.sha256()
    for spec in read:
        if isinstance(spec.content, bytes):
            digest.update(spec.content)
    return {CONFIG_ANNOTATION: digest.hexdigest()}


def _manifest(name: str, pod: object) -> FileSpec:
    return FileSpec(manifest_path(name), engine.dump(pod), mode=MANIFEST_MODE)
