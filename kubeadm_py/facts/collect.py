"""Put together the probe script: what to ask comes from the model's tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from kubeadm_py.model import endpoint, foreign, host_needs, host_settings, kernel, paths
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.components import ExternalEtcd
from kubeadm_py.model.node import Node, Role

PROBE_MARKER = "##kubeadm-py facts "
"""What the probe's only line of output starts with; JSON follows."""

LITTLE = ("system",)
"""Parts to ask for where no facts are needed: reaching a host is what counts."""
TIME_SERVICES = (
    "systemd-timesyncd",
    "chronyd",
    "chrony",
    "ntpd",
    "ntp",
    "ntpsec",
    "openntpd",
)
_OTHER_UNITS = (
    "docker",
    "crio",
    "cri-docker",
    "firewalld",
    "ufw",
    "nftables",
    "NetworkManager",
    "systemd-networkd",
    "systemd-resolved",
    "cloud-init",
    "cloud-config",
    "cloud-final",
    "apt-daily",
    "apt-daily-upgrade",
    "unattended-upgrades",
    "zramswap",
)
_OTHER_SYSCTLS = ("net.ipv4.conf.all.rp_filter", "net.netfilter.nf_conntrack_max", "vm.swappiness")


def probe_script(
    *,
    extra_paths: Iterable[str] = (),
    cri_socket: str = "",
    hash_binaries: bool = False,
    external_etcd: ExternalEtcd | None = None,
    names: Sequence[str] = (),
    owners: Iterable[str] = (),
    secrets: Iterable[str] = (),
    parts: Sequence[str] = (),
) -> str:
    """Return the POSIX shell text that prints the probe's line, and only that.

    It neither exits nor changes the shell that runs it. `extra_paths` are files and directories to describe
    besides the usual ones; `cri_socket` is the runtime's endpoint, containerd's by default.
    `hash_binaries` costs about a second a host; `external_etcd` is asked for its version; `names` are
    resolved there, `owners` (USER:GROUP) looked up; of the files `secrets` nothing is shown.
    `parts` are those to ask for; none: all.
    """
    units = [f"{name}.service" for name in (*TIME_SERVICES, *_OTHER_UNITS)]
    etcd = external_etcd or ExternalEtcd(())
    questions: Mapping[str, Iterable[str]] = {
        "PATHS": dict.fromkeys([*host_settings.PROBED_FILES, *extra_paths]),
        "BINARIES": host_settings.PROBED_BINARIES,
        "SYSCTLS": [name.replace(".", "/") for name in (*host_settings.PROBED_SYSCTLS, *_OTHER_SYSCTLS)],
        "OPTIONS": kernel.probed_options(),
        "MODULES": kernel.MODULE_OPTIONS,
        "COMMANDS": host_needs.PROBED_COMMANDS,
        "UNITS": dict.fromkeys([*host_settings.PROBED_UNITS, *foreign.FOREIGN_UNITS, *units]),
        "ETCD": etcd.endpoints,
        "NAMES": names,
        "OWNERS": owners,
        "SECRETS": secrets,
        "INVENTORY": [paths.INVENTORY],
        "INCOMING": [paths.INCOMING_BLOBS],
        "VERSIONS": [paths.PROGRAM_VERSIONS],
        "ETCD_CA": [etcd.ca_file],
        "ETCD_CERT": [etcd.cert_file],
        "ETCD_KEY": [etcd.key_file],
        "CRI_SOCKET": [cri_socket.removeprefix("unix://")],
        "HASH_BINARIES": ["1" if hash_binaries else ""],
        "PARTS": [" ".join(parts)],
    }
    assignments = (f"PROBE_{name}={shlex.quote(chr(10).join(items))}\n" for name, items in questions.items())
    return "".join(assignments) + _text()


def probe_of(cluster: ResolvedCluster, node: Node, parts: Sequence[str] = ()) -> str:
    """Return the probe of a cluster's host; an etcd that others run is asked from control planes.

    `parts` are those to ask for; none: all.
    """
    # What its client needs on hosts of role etcd we make ourselves, so that there is nothing to ask yet.
    others = node.role is Role.CONTROL_PLANE and cluster.etcd.members is None
    etcd = cluster.etcd.external if others else None
    return probe_script(
        extra_paths=interesting_paths(cluster, node),
        cri_socket=node.cri_socket,
        external_etcd=etcd,
        parts=parts,
        names=resolved_names(cluster),
        owners=dict.fromkeys(each.owner for each in node.files if each.owner != "root:root"),
        secrets=[each.path for each in node.files if each.secret],
    )


def resolved_names(cluster: ResolvedCluster) -> tuple[str, ...]:
    """Return the names that hosts must resolve: the endpoint's, unless we see to it in /etc/hosts."""
    name = endpoint.host(cluster)
    ours = cluster.load_balancer is LoadBalancer.NODE_LOCAL
    return (name,) if name and not ours and not endpoint.is_address(name) else ()


def interesting_paths(cluster: ResolvedCluster, node: Node) -> tuple[str, ...]:
    """Return the paths that this cluster's config names and that the probe would not look at otherwise."""
    named = [cluster.certificates_dir, cluster.ca_cert_path, cluster.reset.certificates_dir]
    named.append(str(cluster.kubelet_config.get("resolvConf") or ""))
    named.append(str(cluster.kubelet_config.get("staticPodPath") or ""))
    if cluster.etcd.ours is not None:
        named.append(cluster.etcd.ours.data_dir)
    if cluster.etcd.external is not None:
        external = cluster.etcd.external
        named += [external.ca_file, external.cert_file, external.key_file]
    named += [each.path for each in (*node.files, *node.static_pods)]
    named.append(node.cri_socket.removeprefix("unix://"))
    usual = (paths.KUBERNETES_DIR + "/", paths.ETCD_DATA_DIR)
    return tuple(dict.fromkeys(path for path in named if path.startswith("/") and not path.startswith(usual)))


@cache
def _text() -> str:
    return Path(__file__).with_name("probe.sh").read_text(encoding="utf-8")
