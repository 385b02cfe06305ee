"""Render the kubelet's files on one host (kubeadm contract, sections 2.11 and 6)."""

from __future__ import annotations

import re
from typing import Any

from kubeadm_py.errors import UsageError
from kubeadm_py.model import paths, ports
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.patches import KUBELET_CONFIGURATION
from kubeadm_py.render import component_configs, engine
from kubeadm_py.render.arguments import flags
from kubeadm_py.render.patching.apply import patched

_PLAIN_ARGUMENT = re.compile(r"[^\s\"'\\]*")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


_OF_A_NODE = frozenset(
    (
        "clusterDNS",
        "clusterDomain",
        "rotateCertificates",
        "serverTLSBootstrap",
        "tlsCertFile",
        "tlsPrivateKeyFile",
    )
)
_ALONE: dict[str, Any] = {
    # Nobody calls it, and it has no API server to ask who may: it listens for its health check alone.
    "enableServer": False,
    "readOnlyPort": 0,
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
}
"""The kubelet of a host of role etcd belongs to no cluster: it runs static pods, and nothing else."""


def kubelet_config(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> FileSpec:
    """Return config.yaml: the cluster's KubeletConfiguration, what only this host knows, and patches."""
    return FileSpec(paths.KUBELET_CONFIG, engine.dump(_configuration(cluster, node, facts)))


def healthz_port(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> int:
    """Return the port where this host's kubelet says that it is healthy; 0 where it has none."""
    port = _configuration(cluster, node, facts).get("healthzPort")
    return port if isinstance(port, int) else ports.KUBELET_HEALTHZ


def _configuration(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> dict[str, Any]:
    config = component_configs.kubelet_configuration(cluster)
    if node.role is Role.ETCD:
        config = {key: value for key, value in config.items() if key not in _OF_A_NODE} | _ALONE
    if facts.systemd_resolved_active:
        # /etc/resolv.conf names resolved's stub on 127.0.0.53, which pods cannot reach.
        config.setdefault("resolvConf", paths.RESOLVED_RESOLV_CONF)
    config = dict(patched(config, KUBELET_CONFIGURATION, cluster.patches(node)))
    if cluster.node_local_cri_socket:
        config |= _instance_config(node)
    return config


def instance_config(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> FileSpec:  # noqa: ARG001
    """Return instance-config.yaml: what kubeadm keeps of this host when it rewrites config.yaml."""
    return FileSpec(paths.KUBELET_INSTANCE_CONFIG, engine.dump(_instance_config(node)))


def node_files(cluster: ResolvedCluster, node: Node, facts: HostFacts, *, joining: bool) -> list[FileSpec]:
    """Return all files that the kubelet reads on this host, its kubeconfig apart."""
    instance = [instance_config(cluster, node, facts)] if cluster.node_local_cri_socket else []
    return [
        flags_env(cluster, node, facts, joining=joining),
        *instance,
        kubelet_config(cluster, node, facts),
    ]


def flags_env(cluster: ResolvedCluster, node: Node, facts: HostFacts, *, joining: bool) -> FileSpec:
    """Return kubeadm-flags.env: the kubelet's flags, --node-ip always among them.

    Labels are not: a kubelet may not set most of them on itself. Raises UsageError for a flag that does
    not fit into the file's one line.
    """
    defaults: dict[str, str] = {}
    if not cluster.node_local_cri_socket:
        defaults["container-runtime-endpoint"] = node.cri_socket
    if node.name != facts.hostname.strip().lower():
        defaults["hostname-override"] = node.name
    addresses = node.addresses or ((node.advertise_address,) if node.advertise_address else ())
    if addresses:
        defaults["node-ip"] = ",".join(addresses)
    if joining and node.role is Role.WORKER and node.effective_taints:
        defaults["register-with-taints"] = ",".join(str(taint) for taint in node.effective_taints)
    arguments = flags(defaults, node.kubelet_extra_args)
    line = " ".join(_systemd_word(argument, node) for argument in arguments)
    text = engine.render_text("kubelet/kubeadm-flags.env.j2", arguments=line)
    return FileSpec(paths.KUBELET_FLAGS_ENV, text.encode())


def _instance_config(node: Node) -> dict[str, str]:
    config: dict[str, str] = engine.render_yaml("kubelet/instance-config.yaml.j2", cri_socket=node.cri_socket)
    return config


def _systemd_word(argument: str, node: Node) -> str:
    """Quote one argument for the unit's `$KUBELET_KUBEADM_ARGS`, which systemd splits into words."""
    if _CONTROL_CHARACTER.search(argument):
        raise UsageError(
            f"kubelet flag {argument!r} holds a line break or another control character",
            host=node.name,
            details=[f"{paths.KUBELET_FLAGS_ENV} is one line"],
            fix="set it in a KubeletConfiguration document, or take the character out",
        )
    if _PLAIN_ARGUMENT.fullmatch(argument):
        return argument
    return '"' + re.sub(r'(["\\])', r"\\\1", argument) + '"'
