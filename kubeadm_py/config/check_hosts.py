"""Check the hosts of a Cluster document against each other and against kubeadm's documents."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from kubeadm_py.addons import find
from kubeadm_py.config import defaults
from kubeadm_py.config.check_endpoint import ENDPOINT
from kubeadm_py.config.check_etcd_hosts import check_etcd_hosts, etcd_hosts, even_members
from kubeadm_py.config.cluster_types import Host
from kubeadm_py.config.documents import given
from kubeadm_py.config.kubeadm_types import NodeRegistration
from kubeadm_py.config.nodes import ssh_over
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.config.whole import HOSTS, Whole
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.near import did_you_mean
from kubeadm_py.model.node import Role
from kubeadm_py.model.ssh import HostKeys
from kubeadm_py.model.urls import proves_itself

SSH_PORT = 22


def check_hosts(whole: Whole, problems: Problems) -> None:
    """Add every problem with the hosts, and every contradiction between two documents about one host."""
    if not whole.cluster.given:
        return
    place, spec = whole.cluster.document, whole.cluster.value.spec
    if not whole.cluster.value.metadata.name:
        problems.missing(place, ("metadata", "name"), "missing; it names the cluster, for example demo")
    if not spec.hosts:
        problems.missing(place, HOSTS, "no host; name at least the control-plane host")
    for index, host in enumerate(spec.hosts):
        _check_host(whole, index, host, problems)
    _check_roles(whole, problems)
    _check_unique(whole, problems)
    _check_init_against_first(whole, problems)
    _check_join_template(whole, problems)
    _check_artifacts(whole, problems)
    _check_addons(whole, problems)


def _check_host(whole: Whole, index: int, host: Host, problems: Problems) -> None:
    place, path = whole.cluster.document, (*HOSTS, index)
    if not host.name:
        problems.missing(place, (*path, "name"), "missing; it is the node's name")
    if not host.role:
        roles = ", ".join(role.value for role in Role)
        problems.missing(place, (*path, "role"), f"missing; one of {roles}")
    if not host.address:
        problems.missing(place, (*path, "address"), "missing; it is the node's IP address")
    written = place.raw((*path, "role"))
    if written in defaults.ROLE_ALIASES:
        problems.warning(place, (*path, "role"), f"{written} is read as {defaults.ROLE_ALIASES[written]}")
    registration = host.node_registration
    if registration.name and host.name and registration.name != host.name:
        message = f"{show(registration.name)} contradicts the host's name {show(host.name)}"
        problems.error(place, (*path, "nodeRegistration", "name"), message)
    if host.taints is not None and registration.taints is not None:
        problems.error(
            place, (*path, "nodeRegistration", "taints"), "the host's own taints are given too; keep one"
        )
    arguments = (*path, "nodeRegistration", "kubeletExtraArgs")
    check_kubelet_identity(place, arguments, registration, host, problems)
    _check_ssh(whole, index, host, problems)


def check_kubelet_identity(
    place: Place, path: Path, registration: NodeRegistration, host: Host, problems: Problems
) -> None:
    """Add a problem for kubelet flags that give a host another name or address than the file does."""
    for index, arg in enumerate(registration.kubelet_extra_args):
        if arg.name == "hostname-override" and host.name and arg.value != host.name:
            message = f"hostname-override {show(arg.value)} contradicts the host's name {show(host.name)}"
            problems.error(place, (*path, index), message)
        if arg.name == "node-ip" and host.address and not _same_addresses(arg.value, host.address):
            message = f"node-ip {show(arg.value)} contradicts the host's address {show(host.address)}"
            problems.error(place, (*path, index), message)


def _same_addresses(written: str, address: str) -> bool:
    try:
        parsed = [ipaddress.ip_address(part.strip()) for part in written.split(",")]
    except ValueError:
        return False
    return parsed == [ipaddress.ip_address(part) for part in address.split(",")]


def _check_ssh(whole: Whole, index: int, host: Host, problems: Problems) -> None:
    place, path = whole.cluster.document, (*HOSTS, index, "ssh")
    merged = ssh_over(whole.cluster.value.spec.ssh, host.ssh)
    if merged.host_keys == HostKeys.PINNED and not host.ssh.host_key:
        problems.missing(place, (*path, "hostKey"), "missing; hostKeys: pinned wants the host's key here")
    if merged.sudo_password_file and merged.sudo is False:
        at = path if host.ssh.sudo_password_file else ("spec", "ssh")
        problems.error(place, (*at, "sudoPasswordFile"), "a password for sudo, but sudo: false")


def _check_roles(whole: Whole, problems: Problems) -> None:
    place, hosts = whole.cluster.document, whole.cluster.value.spec.hosts
    control_planes = [index for index, host in enumerate(hosts) if host.role == Role.CONTROL_PLANE]
    _check_several_control_planes(whole, control_planes, problems)
    check_etcd_hosts(whole, problems)
    discovery = whole.join.value.discovery
    if hosts and not control_planes and discovery is None and all(host.role for host in hosts):
        problems.missing(
            place,
            HOSTS,
            "no host has the role control-plane, and no JoinConfiguration says which cluster to join",
        )


def _check_several_control_planes(whole: Whole, control_planes: list[int], problems: Problems) -> None:
    """Add what several control planes need, and what an even number of etcd members is no good for."""
    if len(control_planes) < 2:
        return
    shared, place = whole.cluster_configuration.value, whole.cluster.document
    path = (*HOSTS, control_planes[1], "role")
    # Of a balancer that is named its own check tells what it lacks, and whether there is such a one.
    if not (shared.control_plane_endpoint or given(place, (*ENDPOINT, "loadBalancer"))):
        message = (
            "a second control plane needs an endpoint that all share: "
            "spec.endpoint.loadBalancer: node-local or vip, or ClusterConfiguration.controlPlaneEndpoint"
        )
        problems.error(place, path, message)
    apart = shared.etcd.external is not None or etcd_hosts(whole)
    if len(control_planes) % 2 == 0 and not apart:
        problems.warning(place, path, even_members(len(control_planes), "control planes"))


def _check_unique(whole: Whole, problems: Problems) -> None:
    def destination(host: Host) -> list[str]:
        ssh = ssh_over(whole.cluster.value.spec.ssh, host.ssh)
        name = ssh.host or host.address.partition(",")[0]
        by_way_of = f" by way of {ssh.bastion}" if ssh.bastion else ""
        return [f"{name} port {ssh.port or SSH_PORT}{by_way_of}"] if name else []

    rules: list[tuple[str, str, Callable[[Host], list[str]]]] = [
        ("name", "the name", lambda host: [host.name] if host.name else []),
        ("address", "the address", lambda host: [part for part in host.address.split(",") if part]),
        ("ssh", "the SSH destination", destination),
    ]
    place = whole.cluster.document
    for key, what, values in rules:
        seen: dict[str, int] = {}
        for index, host in enumerate(whole.cluster.value.spec.hosts):
            for value in values(host):
                if value in seen and not problems.blamed(place, (*HOSTS, index, "address")):
                    line = place.locate((*HOSTS, seen[value]))[1]
                    message = f"{what} {value} is already that of hosts[{seen[value]}] (line {line})"
                    problems.error(place, (*HOSTS, index, key), message)
                seen.setdefault(value, index)


def _check_init_against_first(whole: Whole, problems: Problems) -> None:
    first = next((host for host in whole.cluster.value.spec.hosts if host.role == Role.CONTROL_PLANE), None)
    if first is None:
        return
    place, registration = whole.init.document, whole.init.value.node_registration
    if registration.name and first.name and registration.name != first.name:
        message = f"{show(registration.name)} contradicts {show(first.name)}, the first control-plane host"
        problems.error(place, ("nodeRegistration", "name"), message)
    advertise = whole.init.value.local_api_endpoint.advertise_address
    if advertise and first.address and advertise not in first.address.split(","):
        message = f"{advertise} contradicts the address of the first control-plane host, {first.address}"
        problems.error(place, ("localAPIEndpoint", "advertiseAddress"), message)
    check_kubelet_identity(place, ("nodeRegistration", "kubeletExtraArgs"), registration, first, problems)


def _check_join_template(whole: Whole, problems: Problems) -> None:
    place, registration = whole.join.document, whole.join.value.node_registration
    hosts = whole.cluster.value.spec.hosts
    first = next((host for host in hosts if host.role == Role.CONTROL_PLANE), None)
    others = [host for host in hosts if host is not first and host.name]
    _check_join_advertise(whole, [host for host in others if host.role == Role.CONTROL_PLANE], problems)
    for host in others:
        if registration.name and registration.name != host.name:
            message = (
                f"{show(registration.name)} contradicts the name of the host {show(host.name)}: "
                "JoinConfiguration is the template of every host but the first; leave the name out"
            )
            problems.error(place, ("nodeRegistration", "name"), message)
        arguments: Path = ("nodeRegistration", "kubeletExtraArgs")
        check_kubelet_identity(place, arguments, registration, host, problems)


def _check_join_advertise(whole: Whole, control_planes: list[Host], problems: Problems) -> None:
    joining = whole.join.value.control_plane
    advertise = joining.local_api_endpoint.advertise_address if joining is not None else ""
    path: Path = ("controlPlane", "localAPIEndpoint", "advertiseAddress")
    for host in control_planes:
        if advertise and host.address and advertise not in host.address.split(","):
            message = (
                f"{advertise} contradicts the address of the host {show(host.name)}, {host.address}: "
                "JoinConfiguration is the template of every host but the first; leave it out"
            )
            problems.error(whole.join.document, path, message)


def _check_artifacts(whole: Whole, problems: Problems) -> None:
    place, artifacts = whole.cluster.document, whole.cluster.value.spec.artifacts
    path: Path = ("spec", "artifacts", "path")
    downloaded = artifacts.source in ("", ArtifactSource.OFFICIAL, ArtifactSource.PACKAGES)
    is_url = artifacts.path.startswith(("http://", "https://"))
    if artifacts.path and artifacts.source == ArtifactSource.PREINSTALLED:
        problems.error(
            place, path, "preinstalled artifacts have no path; leave it out, or use source: bundle"
        )
    elif artifacts.path and downloaded and not is_url:
        hint = "" if artifacts.source else ", or set source: bundle"
        message = f"{show(artifacts.path)} is not the http(s) URL of a mirror{hint}"
        problems.error(place, path, message)
    elif is_url and downloaded and not proves_itself(artifacts.path):
        hint = "with plain http, anyone on the way could change a binary and its checksum"
        problems.error(place, path, f"{show(artifacts.path)} is not the https:// URL of a mirror; {hint}")
    elif is_url and artifacts.source == ArtifactSource.BUNDLE:
        problems.error(
            place, path, f"{show(artifacts.path)} is a URL; a bundle is a folder or tar file on this machine"
        )


def _check_addons(whole: Whole, problems: Problems) -> None:
    place, known = whole.cluster.document, known_addons()
    seen: set[str] = set()
    for index, addon in enumerate(whole.cluster.value.spec.addons):
        path: Path = ("spec", "addons", index)
        if not addon.source:
            message = "missing; an add-on is a name, {name, parameters} or {path, parameters}"
            problems.missing(place, (*path, "name"), message)
        elif addon.name and addon.path:
            problems.error(place, (*path, "path"), "an add-on has a name or a path, not both")
        elif addon.source in seen:
            problems.error(place, path, f"the add-on {show(addon.source)} is asked for twice")
        elif not addon.is_local and not problems.full and not _is_known(addon.name):
            accepted = f"one of {', '.join(known)}, or a path with a slash in it"
            message = f"no add-on {show(addon.name)}: {accepted}{did_you_mean(addon.name, known)}"
            problems.error(place, path, message)
        seen.add(addon.source)


def known_addons() -> tuple[str, ...]:
    """List the add-ons that come with the product, for messages."""
    return find.names()


def _is_known(name: str) -> bool:
    return name in find.names() or name in find.aliases()
