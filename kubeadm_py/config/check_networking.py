"""Check subnets: well formed, large enough, apart from each other and from the hosts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from itertools import product

from kubeadm_py.config import defaults
from kubeadm_py.config.documents import Document, given
from kubeadm_py.config.kubeadm_types import ExtraArg
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.config.scalars import split_endpoint
from kubeadm_py.config.whole import Whole
from kubeadm_py.model.endpoint import is_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SERVICE_SUBNET: Path = ("networking", "serviceSubnet")
POD_SUBNET: Path = ("networking", "podSubnet")
_CIDR = re.compile(r"[0-9a-fA-F:.]+/[0-9]{1,3}\Z")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")


def networks(text: str) -> list[Network]:
    """Return the networks of `A[,B]`, host bits cut off as Go's parser does; skip malformed ones."""
    found: list[Network] = []
    for part in text.split(","):
        try:
            found.append(_network(part.strip()))
        except ValueError:
            continue
    return found


def _network(text: str) -> Network:
    if not _CIDR.match(text):
        raise ValueError(text)
    return ipaddress.ip_network(text, strict=False)


def check_networking(whole: Whole, problems: Problems) -> None:
    """Add every problem with the subnets and with addresses that lie inside them."""
    document = whole.cluster_configuration.document
    services = _check_subnet(document, SERVICE_SUBNET, whole.service_subnet, problems)
    pods = _check_subnet(document, POD_SUBNET, whole.pod_subnet, problems)
    for service in services:
        _check_service_size(document, service, problems)
    for pod in pods:
        _check_pod_size(whole, pod, problems)
    for service, pod in product(services, pods):
        if service.version == pod.version and service.overlaps(pod):
            message = f"{pod} overlaps serviceSubnet {service}{_line(document, SERVICE_SUBNET)}"
            problems.error(document, POD_SUBNET, message)
    _check_addresses(whole, services, pods, problems)
    if whole.kube_proxy.value.cluster_cidr:
        _check_subnet(
            whole.kube_proxy.document, ("clusterCIDR",), whole.kube_proxy.value.cluster_cidr, problems
        )


HARMLESS = "it works until a service is given that address"


def inside(address: str, services: Sequence[Network], pods: Sequence[Network]) -> str:
    """Say that an address lies inside a subnet, or return an empty string.

    Inside kubeadm's default service subnet it is HARMLESS, at the message's end: kubeadm accepts it, and
    many a network, ours in the lab too, lies in that wide range.
    """
    parsed = ipaddress.ip_address(address)
    for name, network in [*(("podSubnet", pod) for pod in pods), *(("serviceSubnet", s) for s in services)]:
        if parsed.version != network.version or parsed not in network:
            continue
        found = f"{address} lies inside {name} {network}"
        is_default = name == "serviceSubnet" and str(network) == defaults.SERVICE_SUBNET
        return f"{found}; {HARMLESS}" if is_default else f"{found}; hosts need a range of their own"
    return ""


def _check_subnet(place: Place, path: Path, text: str, problems: Problems) -> list[Network]:
    if not text:
        return []
    found: list[Network] = []
    for part in text.split(","):
        try:
            network = _network(part)
        except ValueError:
            blank = "; no blanks beside the comma" if part != part.strip() else ""
            problems.error(place, path, f"{show(part)} is not a CIDR like {defaults.POD_SUBNET}{blank}")
            return []
        if _has_host_bits(part, network):
            problems.warning(place, path, f"{part} has host bits set; {network} is used")
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_SITE_LOCAL):
            problems.warning(place, path, f"{network} is site-local (fec0::/10), which is deprecated")
        found.append(network)
    if len({network.version for network in found}) != len(found):
        problems.error(
            place, path, f"{show(text)}: one subnet, or one IPv4 and one IPv6 subnet, comma-separated"
        )
        return []
    return found


def _has_host_bits(part: str, network: Network) -> bool:
    return ipaddress.ip_address(part.partition("/")[0]) != network.network_address


def _check_service_size(place: Place, network: Network, problems: Problems) -> None:
    host_bits = network.max_prefixlen - network.prefixlen
    if network.num_addresses < defaults.MIN_SERVICE_ADDRESSES:
        needed = f"at least {defaults.MIN_SERVICE_ADDRESSES} are needed"
        message = f"{network} has {network.num_addresses} addresses; {needed}"
        problems.error(place, SERVICE_SUBNET, message)
    elif host_bits > defaults.MAX_SERVICE_HOST_BITS:
        longest = network.max_prefixlen - defaults.MAX_SERVICE_HOST_BITS
        problems.error(place, SERVICE_SUBNET, f"{network} is too large; /{longest} or smaller is accepted")


def _check_pod_size(whole: Whole, network: Network, problems: Problems) -> None:
    document = whole.cluster_configuration.document
    if network.num_addresses < defaults.MIN_POD_ADDRESSES:
        needed = f"at least {defaults.MIN_POD_ADDRESSES} are needed"
        message = f"{network} has {network.num_addresses} addresses; {needed}"
        problems.error(document, POD_SUBNET, message)
        return
    args = whole.cluster_configuration.value.controller_manager.extra_args
    if _argument(args, "allocate-node-cidrs") == "false":
        return
    mask = _node_mask(whole, network.version, problems)
    if mask is None:
        return
    if mask < network.prefixlen:
        message = f"{network} is smaller than one node's share (/{mask}); nodes would get no pod addresses"
        problems.error(document, POD_SUBNET, message)
    elif mask - network.prefixlen > defaults.MAX_NODE_MASK_DISTANCE:
        smallest = mask - defaults.MAX_NODE_MASK_DISTANCE
        message = f"{network} is too large for nodes with /{mask} each; /{smallest} or smaller is accepted"
        problems.error(document, POD_SUBNET, message)


def _node_mask(whole: Whole, family: int, problems: Problems) -> int | None:
    """Return the size of a node's share; None, with a problem, where the flag for it holds no number."""
    args = whole.cluster_configuration.value.controller_manager.extra_args
    families = len(networks(whole.pod_subnet))
    names = [f"node-cidr-mask-size-ipv{family}"] + (["node-cidr-mask-size"] if families == 1 else [])
    for name in names:
        value = _argument(args, name)
        if not value:
            continue
        if not _WHOLE_NUMBER.match(value) or int(value) < 0:
            place = whole.cluster_configuration.document
            message = f"{name} is {show(value)}, not a number of bits"
            problems.error(place, ("controllerManager", "extraArgs"), message)
            return None
        return int(value)
    return defaults.NODE_MASK[family]


def _argument(args: list[ExtraArg], name: str) -> str:
    return next((arg.value for arg in reversed(args) if arg.name == name), "")


def _check_addresses(whole: Whole, services: list[Network], pods: list[Network], problems: Problems) -> None:
    for place, path, text in _addresses(whole):
        message = inside(text, services, pods)
        if message:
            report = problems.warning if message.endswith(HARMLESS) else problems.error
            report(place, path, message)
    if not services or not whole.control_plane_here:
        return
    for place, path, text in _control_plane_addresses(whole):
        family = ipaddress.ip_address(text).version
        if family != services[0].version:
            problems.error(
                place,
                path,
                f"{text} is IPv{family}, but the first service subnet, {services[0]}, is "
                f"IPv{services[0].version}: the API server needs both of one family",
            )


def _addresses(whole: Whole) -> list[tuple[Place, Path, str]]:
    """List the addresses that hosts and the API have, each with its place."""
    found: list[tuple[Place, Path, str]] = []
    for index, host in enumerate(whole.cluster.value.spec.hosts):
        for address in filter(None, host.address.split(",")):
            found.append((whole.cluster.document, ("spec", "hosts", index, "address"), address))
    advertise = whole.init.value.local_api_endpoint.advertise_address
    if advertise:
        found.append((whole.init.document, ("localAPIEndpoint", "advertiseAddress"), advertise))
    joining = whole.join.value.control_plane
    if joining is not None and joining.local_api_endpoint.advertise_address:
        own: Path = ("controlPlane", "localAPIEndpoint", "advertiseAddress")
        found.append((whole.join.document, own, joining.local_api_endpoint.advertise_address))
    endpoint = whole.cluster_configuration.value.control_plane_endpoint
    api = split_endpoint(endpoint)[0] if endpoint else ""
    if is_address(api):
        found.append((whole.cluster_configuration.document, ("controlPlaneEndpoint",), api))
    vip = whole.cluster.value.spec.endpoint.vip
    if vip:
        found.append((whole.cluster.document, ("spec", "endpoint", "vip"), vip))
    return found


def _control_plane_addresses(whole: Whole) -> list[tuple[Place, Path, str]]:
    advertise = whole.init.value.local_api_endpoint.advertise_address
    if advertise:
        return [(whole.init.document, ("localAPIEndpoint", "advertiseAddress"), advertise)]
    return [
        (whole.cluster.document, ("spec", "hosts", index, "address"), host.address.partition(",")[0])
        for index, host in enumerate(whole.cluster.value.spec.hosts)
        if host.role == "control-plane" and host.address
    ]


def _line(document: Document, path: Path) -> str:
    """Return ` (line N)` where the key is given, ` (the default)` where it is not."""
    if not given(document, path):
        return " (the default)"
    line = document.locate(path)[1]
    return f" (line {line})" if line else ""
