"""Check that traffic inside the cluster does not take an HTTP proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from kubeadm_py.model.facts import WITHHELD_USER
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.preflight.context import CONTROL_PLANES, EVERYWHERE, Check, CheckContext, Hit, Target


def http_proxy(ctx: CheckContext) -> Iterator[Hit]:
    """Ask which way https to the API server would take."""
    if ctx.target is Target.INIT:
        host = ctx.node.advertise_address or (ctx.node.addresses[0] if ctx.node.addresses else "")
    else:
        host, _ = split_host_port(ctx.endpoint)
    proxy = proxy_for(host, ctx.facts.environment) if host else ""
    if proxy:
        yield Hit(f"https to {host} takes the proxy {proxy}", f"add {host} to no_proxy on the host")


def http_proxy_cidr(ctx: CheckContext) -> Iterator[Hit]:
    """Ask the same for the first address of each subnet."""
    networking = ctx.cluster.networking
    for network in (*networking.service_networks, *networking.pod_networks):
        proxy = proxy_for(str(network[1]), ctx.facts.environment)
        if proxy:
            yield Hit(
                f"https into {network} takes the proxy {proxy}", f"add {network} to no_proxy on the host"
            )


def proxy_credentials(ctx: CheckContext) -> Iterator[Hit]:
    """Look for proxies that static pods and kube-proxy will not be told of."""
    names = sorted(name for name, value in ctx.facts.environment.items() if WITHHELD_USER in value)
    if names:
        yield Hit(
            f"{', '.join(names)} of the host names a user or a password, which no pod is told",
            "where a component needs the proxy: extraEnvs in ClusterConfiguration",
        )


def proxy_for(host: str, environment: Mapping[str, str]) -> str:
    """Return the proxy that Go programs would take for https to `host`, empty for none.

    no_proxy holds names (with their subdomains), `.suffixes`, addresses, CIDRs, each with an optional port,
    or `*`. Loopback never takes a proxy.
    """
    proxy = environment.get("HTTPS_PROXY") or environment.get("https_proxy") or ""
    if not proxy or host == "localhost":
        return ""
    address = _address(host)
    if address is not None and address.is_loopback:
        return ""
    excepted = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    entries = [entry.strip().lower() for entry in excepted.split(",") if entry.strip()]
    return "" if any(_matches(entry, host.lower(), address) for entry in entries) else proxy


def _matches(entry: str, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    listed = _address(entry)
    if listed is not None or address is not None:
        return listed is not None and listed == address
    name = entry.partition(":")[0].removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


CHECKS = (
    Check(
        "HTTPProxy",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "https to the API server takes no proxy.",
        http_proxy,
    ),
    Check(
        "HTTPProxyCIDR",
        Severity.WARNING,
        Gate.HOST,
        CONTROL_PLANES,
        "https to services and pods takes no proxy.",
        http_proxy_cidr,
    ),
    Check(
        "ProxyCredentials",
        Severity.WARNING,
        Gate.HOST,
        CONTROL_PLANES,
        "The host's proxy variables hold no password: they become variables of pods.",
        proxy_credentials,
        kubeadm=False,
    ),
)
