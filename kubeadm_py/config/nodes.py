"""Resolve the nodes: what each host says, over the template of kubeadm's documents."""

from __future__ import annotations

from collections.abc import Mapping

from kubeadm_py.config import scalars
from kubeadm_py.config.cluster_types import Host, HostSsh, Ssh
from kubeadm_py.config.kubeadm_types import LocalAPIEndpoint, NodeRegistration
from kubeadm_py.config.kubeadm_types import Taint as TaintDocument
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.own import Own
from kubeadm_py.config.whole import Whole
from kubeadm_py.model import paths, ports
from kubeadm_py.model.components import Arg
from kubeadm_py.model.node import Node, Proxy, Role, Taint
from kubeadm_py.model.ssh import SSH, HostKeys

HOSTNAME_OVERRIDE = "hostname-override"
NODE_IP = "node-ip"


def nodes(whole: Whole, own: Mapping[str, Own] = {}) -> tuple[Node, ...]:
    """Return the file's hosts in its order, or the one node of a config without hosts.

    `own` are the operator's files by host.
    """
    if not whole.cluster.given:
        return (_this_node(whole),)
    hosts = whole.cluster.value.spec.hosts
    first = next((host for host in hosts if host.role == Role.CONTROL_PLANE), None)
    return tuple(_node(whole, host, host is first, own.get(host.name, Own())) for host in hosts)


def _node(whole: Whole, host: Host, is_first: bool, own: Own) -> Node:
    template = (whole.init if is_first else whole.join).value.node_registration
    registration = _over(template, host.node_registration)
    addresses = tuple(host.address.split(","))
    role = Role(host.role)
    is_control_plane = role is Role.CONTROL_PLANE
    advertise = whole.init.value.local_api_endpoint.advertise_address if is_first else ""
    proxy = host.proxy
    return Node(
        name=host.name,
        role=role,
        addresses=addresses,
        ssh=_ssh(whole, host),
        labels=dict(host.labels),
        taints=_taints(host.taints if host.taints is not None else registration.taints),
        taints_registered=host.taints is None and registration.taints is not None,
        cri_socket=registration.cri_socket or paths.CONTAINERD_SOCKET,
        kubelet_extra_args=_args(registration),
        ignore_preflight_errors=ignored(registration.ignore_preflight_errors),
        image_pull_policy=registration.image_pull_policy or "IfNotPresent",
        image_pull_serial=registration.image_pull_serial is not False,
        cri_socket_annotated=_cri_socket_annotated(whole),
        advertise_address=(advertise or addresses[0]) if is_control_plane else "",
        bind_port=_bind_port(whole, is_first),
        proxy=Proxy(proxy.http, proxy.https, tuple(proxy.no_proxy)) if proxy is not None else None,
        files=own.files,
        static_pods=own.static_pods,
    )


def _this_node(whole: Whole) -> Node:
    """Return the node of a bare kubeadm file; what only the host knows is left empty."""
    begins = whole.control_plane_here
    joining = None if begins else whole.join.value.control_plane
    registration = (whole.init if begins else whole.join).value.node_registration
    overrides = {arg.name: arg.value for arg in registration.kubelet_extra_args}
    name = (overrides.get(HOSTNAME_OVERRIDE) or registration.name).strip().lower()
    local = whole.init.value.local_api_endpoint if begins else LocalAPIEndpoint()
    if joining is not None:
        local = joining.local_api_endpoint
    advertise = local.advertise_address
    node_ip = _node_ip(overrides.get(NODE_IP, ""))
    return Node(
        name=name,
        role=Role.CONTROL_PLANE if begins or joining is not None else Role.WORKER,
        addresses=node_ip or ((advertise,) if advertise else ()),
        taints=_taints(registration.taints),
        taints_registered=registration.taints is not None,
        cri_socket=registration.cri_socket,
        kubelet_extra_args=_args(registration),
        ignore_preflight_errors=ignored(registration.ignore_preflight_errors),
        image_pull_policy=registration.image_pull_policy or "IfNotPresent",
        image_pull_serial=registration.image_pull_serial is not False,
        cri_socket_annotated=_cri_socket_annotated(whole),
        advertise_address=advertise,
        bind_port=local.bind_port or ports.API_SERVER,
    )


def _bind_port(whole: Whole, is_first: bool) -> int:
    """Return the port of a host's API server; those of the others are the first one's, unless told."""
    own = whole.join.value.control_plane
    given = own.local_api_endpoint.bind_port if own is not None and not is_first else 0
    return given or whole.init.value.local_api_endpoint.bind_port or ports.API_SERVER


def _cri_socket_annotated(whole: Whole) -> bool:
    return whole.cluster_configuration.value.feature_gates.get("NodeLocalCRISocket") is False


def _node_ip(written: str) -> tuple[str, ...]:
    """Return the addresses of a node-ip flag; none for `0.0.0.0` and `::`, which only choose a family."""
    try:
        return tuple(scalars.host_addresses(written).split(","))
    except ValueError:
        return ()


def _over(template: NodeRegistration, host: NodeRegistration) -> NodeRegistration:
    """Return the template with every field that the host gives."""
    return template.model_copy(update={name: getattr(host, name) for name in host.model_fields_set})


def _taints(taints: list[TaintDocument] | None) -> tuple[Taint, ...] | None:
    if taints is None:
        return None
    return tuple(Taint(taint.key, taint.effect, taint.value, taint.time_added or "") for taint in taints)


def _args(registration: NodeRegistration) -> tuple[Arg, ...]:
    return tuple(Arg(arg.name, arg.value) for arg in registration.kubelet_extra_args)


def ignored(names: list[str]) -> frozenset[str]:
    """Return check names in lower case, as kubeadm compares them."""
    return frozenset(name.strip().lower() for name in names if name.strip())


def common_ssh(whole: Whole) -> SSH | None:
    """Return how hosts are reached that say nothing of their own; None where the config lists none."""
    return _ssh(whole, Host()) if whole.cluster.given else None


def _ssh(whole: Whole, host: Host) -> SSH:
    common, own = whole.cluster.value.spec.ssh, host.ssh
    merged = ssh_over(common, own)
    return SSH(
        host=merged.host or host.address.partition(",")[0],
        user=merged.user,
        port=merged.port,
        identity_file=on_this_machine(merged.identity_file, whole.folder),
        # A key in the file is the operator's word: it is checked whatever the policy for the others.
        host_keys=HostKeys.PINNED if own.host_key else HostKeys(merged.host_keys or HostKeys.KNOWN_HOSTS),
        host_key=own.host_key,
        known_hosts=on_this_machine(merged.known_hosts, whole.folder),
        bastion=merged.bastion,
        sudo=merged.sudo,
        sudo_password_file=on_this_machine(merged.sudo_password_file, whole.folder),
    )


def ssh_over(common: Ssh, own: HostSsh) -> Ssh:
    """Return the settings for all hosts with every field that the host gives, be it empty."""
    return common.model_copy(
        update={name: getattr(own, name) for name in own.model_fields_set if name != "host_key"}
    )
