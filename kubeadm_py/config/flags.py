"""Turn kubeadm's flags into the documents they stand for, so that one set of rules judges both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from kubeadm_py.config import scalars, ssh_values
from kubeadm_py.config.check_kubeadm import check_ignored
from kubeadm_py.config.documents import Document, FlagDocument
from kubeadm_py.config.nodes import ignored
from kubeadm_py.config.patches import read_patches
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.resolve import check, resolve
from kubeadm_py.config.whole import read_whole
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH

COMMAND_LINE = "the command line"
HOST_FLAG = "--host"
IGNORE_FLAG = "--ignore-preflight-errors"
_HOST_PATH: Path = ("hosts",)

_INIT_FLAGS: Mapping[Path, str] = {
    ("localAPIEndpoint", "advertiseAddress"): "--apiserver-advertise-address",
    ("localAPIEndpoint", "bindPort"): "--apiserver-bind-port",
    ("nodeRegistration", "name"): "--node-name",
    ("nodeRegistration", "criSocket"): "--cri-socket",
    ("nodeRegistration", "ignorePreflightErrors"): IGNORE_FLAG,
    ("patches", "directory"): "--patches",
    ("skipPhases",): "--skip-phases",
    ("certificateKey",): "--certificate-key",
    ("bootstrapTokens", 0, "token"): "--token",
    ("bootstrapTokens", 0, "ttl"): "--token-ttl",
    _HOST_PATH: HOST_FLAG,
}
_CLUSTER_FLAGS: Mapping[Path, str] = {
    ("apiServer", "certSANs"): "--apiserver-cert-extra-sans",
    ("certificatesDir",): "--cert-dir",
    ("controlPlaneEndpoint",): "--control-plane-endpoint",
    ("featureGates",): "--feature-gates",
    ("imageRepository",): "--image-repository",
    ("kubernetesVersion",): "--kubernetes-version",
    ("networking", "podSubnet"): "--pod-network-cidr",
    ("networking", "serviceSubnet"): "--service-cidr",
    ("networking", "dnsDomain"): "--service-dns-domain",
}
_JOIN_FLAGS: Mapping[Path, str] = {
    ("discovery",): "api-server-endpoint",
    ("discovery", "bootstrapToken", "apiServerEndpoint"): "api-server-endpoint",
    ("discovery", "bootstrapToken", "token"): "--token",
    ("discovery", "bootstrapToken", "caCertHashes"): "--discovery-token-ca-cert-hash",
    (
        "discovery",
        "bootstrapToken",
        "unsafeSkipCAVerification",
    ): "--discovery-token-unsafe-skip-ca-verification",
    ("discovery", "file", "kubeConfigPath"): "--discovery-file",
    ("discovery", "tlsBootstrapToken"): "--tls-bootstrap-token",
    ("controlPlane",): "--control-plane",
    ("controlPlane", "localAPIEndpoint", "advertiseAddress"): "--apiserver-advertise-address",
    ("controlPlane", "localAPIEndpoint", "bindPort"): "--apiserver-bind-port",
    ("controlPlane", "certificateKey"): "--certificate-key",
    ("nodeRegistration", "name"): "--node-name",
    ("nodeRegistration", "criSocket"): "--cri-socket",
    ("nodeRegistration", "ignorePreflightErrors"): IGNORE_FLAG,
    ("patches", "directory"): "--patches",
    ("skipPhases",): "--skip-phases",
    _HOST_PATH: HOST_FLAG,
}

_RESET_FLAGS: Mapping[Path, str] = {
    ("certificatesDir",): "--cert-dir",
    ("cleanupTmpDir",): "--cleanup-tmp-dir",
    ("criSocket",): "--cri-socket",
    ("force",): "--force",
    _HOST_PATH: HOST_FLAG,
}


def from_init_flags(
    *,
    hosts: Sequence[str] = (),
    apiserver_advertise_address: str = "",
    apiserver_bind_port: int | None = None,
    apiserver_cert_extra_sans: Sequence[str] = (),
    cert_dir: str = "",
    certificate_key: str = "",
    control_plane_endpoint: str = "",
    cri_socket: str = "",
    feature_gates: str = "",
    ignore_preflight_errors: Sequence[str] = (),
    image_repository: str = "",
    kubernetes_version: str = "",
    node_name: str = "",
    patches: str = "",
    pod_network_cidr: str = "",
    service_cidr: str = "",
    service_dns_domain: str = "",
    skip_phases: Sequence[str] = (),
    token: str = "",
    token_ttl: str = "",
) -> ResolvedCluster:
    """Return the cluster that kubeadm's init flags describe; raise ConfigError naming the flags to blame.

    `hosts` holds at most one `[user@]address[:port]`; without it the node is this very machine. Lists may
    also be comma-separated within an item, as on kubeadm's command line.
    """
    problems = Problems()
    init = FlagDocument("InitConfiguration", {}, _INIT_FLAGS)
    init.data = _tree(
        {
            ("localAPIEndpoint", "advertiseAddress"): apiserver_advertise_address,
            ("localAPIEndpoint", "bindPort"): apiserver_bind_port,
            ("certificateKey",): certificate_key,
            ("nodeRegistration", "name"): node_name,
            ("nodeRegistration", "criSocket"): cri_socket,
            ("nodeRegistration", "ignorePreflightErrors"): _words(ignore_preflight_errors),
            ("patches", "directory"): patches,
            ("skipPhases",): _words(skip_phases),
        }
    )
    token_data = {key: value for key, value in (("token", token), ("ttl", token_ttl)) if value}
    if token_data:
        init.data["bootstrapTokens"] = [token_data]
    shared = FlagDocument("ClusterConfiguration", {}, _CLUSTER_FLAGS)
    shared.data = _tree(
        {
            ("apiServer", "certSANs"): _words(apiserver_cert_extra_sans),
            ("certificatesDir",): cert_dir,
            ("controlPlaneEndpoint",): control_plane_endpoint,
            ("featureGates",): _gates(shared, feature_gates, problems),
            ("imageRepository",): image_repository,
            ("kubernetesVersion",): kubernetes_version,
            ("networking", "podSubnet"): pod_network_cidr,
            ("networking", "serviceSubnet"): service_cidr,
            ("networking", "dnsDomain"): service_dns_domain,
        }
    )
    hosts = _words(hosts)
    if len(hosts) > 1:
        problems.error(init, _HOST_PATH, "init takes one host; join brings in the others")
    return _resolve((init, shared), problems, init, hosts, joining=False)


def from_join_flags(
    endpoint: str = "",
    *,
    hosts: Sequence[str] = (),
    token: str = "",
    discovery_token: str = "",
    ca_cert_hashes: Sequence[str] = (),
    unsafe_skip_ca_verification: bool = False,
    discovery_file: str = "",
    tls_bootstrap_token: str = "",
    control_plane: bool = False,
    apiserver_advertise_address: str = "",
    apiserver_bind_port: int | None = None,
    certificate_key: str = "",
    node_name: str = "",
    cri_socket: str = "",
    ignore_preflight_errors: Sequence[str] = (),
    patches: str = "",
    skip_phases: Sequence[str] = (),
) -> ResolvedCluster:
    """Return the joining hosts that kubeadm's join flags describe; raise ConfigError naming the flags.

    Without `hosts` the one node is this very machine. `token` serves discovery and TLS bootstrap, where
    these are not given tokens of their own. The version is the table's default: the cluster knows its own.
    """
    problems = Problems()
    flags = dict(_JOIN_FLAGS)
    if discovery_token:
        flags["discovery", "bootstrapToken", "token"] = "--discovery-token"
    if not tls_bootstrap_token:
        flags["discovery", "tlsBootstrapToken"] = "--token"
    join = FlagDocument("JoinConfiguration", {}, flags)
    values: dict[Path, Any] = {
        ("discovery", "file", "kubeConfigPath"): discovery_file,
        ("discovery", "tlsBootstrapToken"): tls_bootstrap_token or token,
        ("controlPlane", "localAPIEndpoint", "advertiseAddress"): apiserver_advertise_address,
        ("controlPlane", "localAPIEndpoint", "bindPort"): apiserver_bind_port,
        ("controlPlane", "certificateKey"): certificate_key,
        ("nodeRegistration", "name"): node_name,
        ("nodeRegistration", "criSocket"): cri_socket,
        ("nodeRegistration", "ignorePreflightErrors"): _words(ignore_preflight_errors),
        ("patches", "directory"): patches,
        ("skipPhases",): _words(skip_phases),
    }
    if endpoint:
        by_token: Path = ("discovery", "bootstrapToken")
        values |= {
            (*by_token, "apiServerEndpoint"): endpoint,
            (*by_token, "token"): discovery_token or token,
            (*by_token, "caCertHashes"): _words(ca_cert_hashes),
            (*by_token, "unsafeSkipCAVerification"): unsafe_skip_ca_verification,
        }
        if discovery_file:
            message = "API:PORT and --discovery-file are both given; keep one of them"
            problems.error(join, ("discovery",), message)
    elif not discovery_file:
        message = "missing; name the API as host:port, or give --discovery-file"
        problems.error(join, ("discovery",), message)
    join.data = _tree(values)
    if control_plane:
        join.data.setdefault("controlPlane", {})
    elif "controlPlane" in join.data:
        given = [flags[path] for path, value in values.items() if path[0] == "controlPlane" and value]
        problems.error(
            join, ("controlPlane",), f"missing, but {', '.join(given)} is about a joining control plane"
        )
    hosts = _words(hosts)
    if apiserver_advertise_address and len(hosts) > 1:
        path: Path = ("controlPlane", "localAPIEndpoint", "advertiseAddress")
        problems.error(join, path, f"one address for {len(hosts)} hosts; leave it out")
    if node_name and len(hosts) > 1:
        problems.error(join, ("nodeRegistration", "name"), f"one name for {len(hosts)} hosts; leave it out")
    return _resolve((join,), problems, join, hosts, joining=True)


def from_reset_flags(
    *,
    hosts: Sequence[str] = (),
    cert_dir: str = "",
    cleanup_tmp_dir: bool = False,
    cri_socket: str = "",
    force: bool = False,
) -> ResolvedCluster:
    """Return the hosts that kubeadm's reset flags are about; raise ConfigError naming the flags to blame.

    Without `hosts` the one node is this very machine.
    """
    problems = Problems()
    reset = FlagDocument("ResetConfiguration", {}, _RESET_FLAGS)
    reset.data = _tree(
        {
            ("certificatesDir",): cert_dir,
            ("cleanupTmpDir",): cleanup_tmp_dir,
            ("criSocket",): cri_socket,
            ("force",): force,
        }
    )
    # No document says what kind of node it is, and none needs to.
    init = FlagDocument("InitConfiguration", {}, _INIT_FLAGS)
    return _resolve((init, reset), problems, reset, _words(hosts), joining=False)


def at_hosts(cluster: ResolvedCluster, hosts: Sequence[str], *, joining: bool = False) -> ResolvedCluster:
    """Return the cluster of a bare kubeadm file with its one node on each of `hosts`.

    They are written `[user@]address[:port]`; without any the node is this very machine, as the file alone
    says. Raise ConfigError naming --host.
    """
    problems = Problems()
    place = FlagDocument("", {}, {_HOST_PATH: HOST_FLAG})
    reached = _ssh(place, _words(hosts), problems)
    (template,) = cluster.nodes
    if len(reached) > 1 and template.name and not template.name_from_host:
        problems.error(place, _HOST_PATH, f"the file has one name for {len(reached)} hosts; leave it out")
    if len(reached) > 1 and template.role is Role.CONTROL_PLANE and not joining:
        problems.error(place, _HOST_PATH, "init takes one host; join brings in the others")
    problems.raise_if_any(COMMAND_LINE)
    return replace(cluster, nodes=tuple(_remote(template, ssh) for ssh in reached)) if reached else cluster


def ignored_by_flag(cluster: ResolvedCluster, names: Sequence[str]) -> frozenset[str]:
    """Return the checks that the flag ignores on all hosts, besides what the config ignores on each.

    Raise ConfigError where `all` meets other names, of the flag or of the config, as kubeadm does.
    """
    words = _words(names)
    problems = Problems()
    place = FlagDocument("", {}, {("names",): IGNORE_FLAG})
    for node in cluster.nodes:
        check_ignored(place, ("names",), [*words, *node.ignore_preflight_errors], problems)
    problems.raise_if_any(COMMAND_LINE)
    return ignored(words)


def _resolve(
    documents: Sequence[Document], problems: Problems, place: Document, hosts: Sequence[str], *, joining: bool
) -> ResolvedCluster:
    whole = read_whole(
        {document.kind: document for document in documents},
        problems,
        file="",
        folder=FilePath().absolute(),
        joining=joining,
    )
    check(whole, problems)
    patches = read_patches(whole, problems)
    reached = _ssh(place, hosts, problems)
    problems.raise_if_any(COMMAND_LINE)
    cluster = resolve(whole, patches)
    template = cluster.nodes[0]
    if not reached:
        return replace(cluster, nodes=(replace(template, name_from_host=not template.name),))
    return replace(cluster, nodes=tuple(_remote(template, ssh) for ssh in reached))


def _remote(template: Node, ssh: SSH) -> Node:
    return replace(
        template, name=template.name or ssh.host.lower(), name_from_host=not template.name, ssh=ssh
    )


def _ssh(place: Document, hosts: Sequence[str], problems: Problems) -> list[SSH]:
    found: dict[str, SSH] = {}
    for index, written in enumerate(hosts):
        path = (*_HOST_PATH, index)
        user, _, destination = written.rpartition("@")
        try:
            ssh_values.bastion(written)
            host, port = scalars.split_endpoint(destination)
        except ValueError as error:
            problems.error(place, path, str(error))
            continue
        if host in found:
            problems.error(place, path, f"{show(host)} is named twice")
        found[host] = SSH(host=host, user=user, port=port, flag=written)
    return list(found.values())


def _gates(place: Document, text: str, problems: Problems) -> dict[str, bool]:
    gates: dict[str, bool] = {}
    for part in _words([text]):
        name, _, value = part.partition("=")
        if value.lower() not in ("true", "false"):
            problems.error(place, ("featureGates",), f"{show(part)} is not Name=true or Name=false")
            continue
        gates[name.strip()] = value.lower() == "true"
    return gates


def _words(items: Sequence[str]) -> list[str]:
    """Return the items, each split at commas."""
    return [word.strip() for item in items for word in item.split(",") if word.strip()]


def _tree(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Return nested mappings of the values that say something."""
    data: dict[str, Any] = {}
    for path, value in values.items():
        if value in (None, "", False, [], {}):
            continue
        inner = data
        for step in path[:-1]:
            inner = inner.setdefault(str(step), {})
        inner[str(path[-1])] = value
    return data
