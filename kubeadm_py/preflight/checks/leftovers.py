"""Check for what earlier clusters, pod networks and installers left behind."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from kubeadm_py.model import paths, typed
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.foreign import CNI_INTERFACES, FOREIGN_UNITS
from kubeadm_py.pki import external
from kubeadm_py.preflight.context import EVERYWHERE, NODES, Check, CheckContext, Hit

_CNI_SUFFIXES = (".conf", ".conflist", ".json")
_SERVER = re.compile(r"^\s*server:\s*(\S+)", re.MULTILINE)


def cluster(ctx: CheckContext) -> Iterator[Hit]:
    """Look for the traces of being a node of another cluster."""
    # Credentials are a trace; a CA alone may be the operator's own, laid there for init.
    kubelet_conf = ctx.facts.files.get(paths.KUBELET_CONF)
    # With an external CA (its key is elsewhere) kubeconfigs are the operator's, too.
    given = "ca" in external.authorities(ctx.cluster, ctx.facts.files)
    credentials = () if given else (paths.KUBELET_CONF, paths.ADMIN_CONF)
    traces = [path for path in (*credentials, paths.KUBELET_CLIENT_CURRENT) if path in ctx.facts.files]
    if not traces:
        return
    server = _SERVER.search((kubelet_conf.content or b"").decode(errors="replace")) if kubelet_conf else None
    authority = (
        f", CA public key sha256:{ctx.facts.ca_public_key_sha256}" if ctx.facts.ca_public_key_sha256 else ""
    )
    where = f" at {server[1]}" if server else ""
    yield Hit(
        f"it is, or was, a node of another cluster{where}{authority} ({', '.join(traces)})",
        f"look what would go: {typed.reset_preview(ctx.cluster, ctx.node)}",
    )


def cni(ctx: CheckContext) -> Iterator[Hit]:
    """Look for interfaces and configurations of another pod network."""
    pods = ctx.cluster.networking.pod_networks
    for interface in ctx.facts.interfaces:
        if interface.name not in CNI_INTERFACES or not interface.addresses:
            continue
        foreign = [one for one in interface.addresses if not _inside(one, pods)]
        yield Hit(
            f"{interface.name} has {', '.join(foreign or interface.addresses)}"
            + (
                f", outside the pod subnet {ctx.cluster.networking.pod_subnet or '(none)'}"
                if foreign
                else "; the node may get another range of the pod subnet"
            ),
            f"ip link delete {interface.name}",
            severity=None if foreign and pods else Severity.WARNING,
        )
    yield from _configurations(ctx)


def _configurations(ctx: CheckContext) -> Iterator[Hit]:
    own = ctx.needs.cni_config
    if not own:
        return
    prefix = f"{paths.CNI_CONF_DIR}/"
    names = sorted(path.removeprefix(prefix) for path in ctx.facts.files if path.startswith(prefix))
    foreign = [name for name in names if name.endswith(_CNI_SUFFIXES) and name != own and "/" not in name]
    first = [name for name in foreign if name < own]
    if foreign:
        yield Hit(
            f"{paths.CNI_CONF_DIR} holds {', '.join(foreign)}"
            + (f"; {first[0]} comes before {own}, so pods would use it" if first else ""),
            f"if nothing needs them: rm {' '.join(prefix + name for name in foreign)}",
            severity=None if first else Severity.WARNING,
        )


def _inside(address: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(ipaddress.ip_interface(address).ip in network for network in networks)


def units(ctx: CheckContext) -> Iterator[Hit]:
    """Look for components that run as units, and for the ports that they own."""
    for name in (one for one in FOREIGN_UNITS if one in ctx.facts.units):
        unit = ctx.facts.units[name]
        if unit.load_state in ("not-found", "masked") or (
            name == "etcd.service" and ctx.cluster.etcd.external
        ):
            continue
        owned = sorted({one.port for one in ctx.facts.listeners if one.unit == name})
        running = unit.active_state in ("active", "activating", "reloading")
        if not running and not unit.enabled.startswith("enabled"):
            continue
        listening = f" and listens on {', '.join(map(str, owned))}" if owned else ""
        yield Hit(
            f"{name} is {unit.active_state if running else 'enabled'}{listening}",
            f"systemctl disable --now {name}",
            severity=None if running else Severity.WARNING,
        )


CHECKS = (
    Check(
        "Leftovers-Cluster",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The host is no node of another cluster (another CA).",
        cluster,
        absence=True,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "Leftovers-CNI",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "No interface (cni0, flannel.1, ...) or configuration of another pod network is left.",
        cni,
        absence=True,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "Leftovers-Units",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "No component of Kubernetes runs as a unit (kube-apiserver.service, k3s.service, ...).",
        units,
        absence=True,
        kubeadm=False,
    ),
)
