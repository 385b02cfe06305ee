"""Merge the user's KubeletConfiguration and KubeProxyConfiguration over kubeadm's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeadm_py.config import defaults
from kubeadm_py.config.check_networking import networks
from kubeadm_py.config.documents import value_at
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.whole import Whole
from kubeadm_py.model import kernel, paths
from kubeadm_py.model.networking import Networking


def networking(whole: Whole) -> Networking:
    """Return the resolved subnets and domain."""
    given = whole.cluster_configuration.value.networking
    return Networking(
        service_subnet=_normal(whole.service_subnet),
        pod_subnet=_normal(whole.pod_subnet),
        dns_domain=given.dns_domain or defaults.DNS_DOMAIN,
    )


def _normal(subnet: str) -> str:
    return ",".join(str(network) for network in networks(subnet))


def kubelet_config(whole: Whole) -> dict[str, Any]:
    """Return the cluster's KubeletConfiguration: the user's keys over kubeadm's defaults."""
    config = _over(_kubelet_defaults(whole), whole.kubelet.document.data)
    for addon in whole.addons:
        # What an add-on would like; whoever says something about it has decided.
        config = _over(addon.addon.kubelet_configuration, config)
    return config | {key: _kubelet_defaults(whole)[key] for key in defaults.FORCED_KUBELET_KEYS}


def _kubelet_defaults(whole: Whole) -> dict[str, Any]:
    certificates_dir = whole.cluster_configuration.value.certificates_dir or paths.PKI_DIR
    network = networking(whole)
    return defaults.kubelet_defaults(
        client_ca_file=f"{certificates_dir}/ca.crt",
        cluster_dns=network.dns_ip,
        cluster_domain=network.dns_domain,
    )


def kube_proxy_config(whole: Whole) -> dict[str, Any]:
    """Return the KubeProxyConfiguration: the user's keys over kubeadm's defaults."""
    return _over(_kube_proxy_defaults(whole), whole.kube_proxy.document.data)


def _kube_proxy_defaults(whole: Whole) -> dict[str, Any]:
    network = networking(whole)
    # kubeadm looks at the advertise address; the API server wants it of the first service subnet's family.
    ipv6 = network.service_networks[0].version == 6
    return defaults.kube_proxy_defaults(pod_subnet=network.pod_subnet, ipv6=ipv6)


def warn_about_components(whole: Whole, problems: Problems) -> None:
    """Warn where the user's value is kept although kubeadm would set another one."""
    if whole.kubelet.given:
        place, data = whole.kubelet.document, whole.kubelet.document.data
        for path, default in _leaves(_kubelet_defaults(whole), ()):
            written = value_at(data, path)
            if written in (None, "") or written == default:
                continue
            kept = "is kept" if path[0] not in defaults.FORCED_KUBELET_KEYS else "is overruled"
            problems.warning(place, path, f"{_say(written)} {kept}; kubeadm's value is {_say(default)}")
        if whole.kubelet.value.read_only_port:
            problems.warning(
                place, ("readOnlyPort",), "opens a port that anyone may read; kubeadm leaves it 0"
            )
    if whole.kube_proxy.given:
        _warn_about_ipvs(whole, problems)
        default = _kube_proxy_defaults(whole).get("clusterCIDR", "")
        written = whole.kube_proxy.value.cluster_cidr
        if written and default and written != default:
            problems.warning(
                whole.kube_proxy.document,
                ("clusterCIDR",),
                f"{show(written)} is kept; networking.podSubnet is {default}",
            )


def _warn_about_ipvs(whole: Whole, problems: Problems) -> None:
    place, proxy = whole.kube_proxy.document, whole.kube_proxy.value
    if proxy.mode != "ipvs" or whole.cluster_configuration.value.proxy.disabled:
        return
    problems.warning(
        place, ("mode",), "ipvs is deprecated since Kubernetes 1.35 and will be removed; take nftables"
    )
    scheduler = proxy.ipvs.scheduler
    if scheduler and scheduler not in kernel.IPVS_SCHEDULERS:
        known = ", ".join(kernel.IPVS_SCHEDULERS)
        problems.warning(
            place, ("ipvs", "scheduler"), f"{show(scheduler)} is no scheduler that Linux has; it has {known}"
        )


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(str(item) for item in value)[:60]}]"
    return show(str(value))[1:-1]


def _leaves(value: Mapping[str, Any], path: Path) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = []
    for key, item in value.items():
        found += _leaves(item, (*path, key)) if isinstance(item, Mapping) else [((*path, key), item)]
    return found


def _over(base: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key; an empty string of the user's stands for "not given", as in Go.

    An empty list is a list: kubeadm keeps `clusterDNS: []`.
    """
    merged = dict(base)
    for key, value in user.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            merged[key] = _over(base[key], value)
        elif key not in base or value != "":
            merged[key] = value
    return merged
