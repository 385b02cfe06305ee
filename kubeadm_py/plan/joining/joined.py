"""Take over what the live cluster says of itself, and refuse by its name what cannot be meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.versions import RELEASES, Version
from kubeadm_py.plan.joining.servers import endpoint_of

_CLUSTER = "kubeadm-config"
_KUBELET = "kubelet-config"
_PORTS = range(65536)


def as_joined(cluster: ResolvedCluster, joined: JoinedCluster) -> ResolvedCluster:
    """Take over what the live cluster says: its version, kubelet configuration, images and subnets.

    What a key leaves out or leaves null stays as the config has it. Raise KubeadmPyError that names the
    ConfigMap and the key of a value that nothing can be made of.
    """
    live = joined.cluster_configuration
    networking = live.get("networking") or {}
    if not isinstance(networking, Mapping):
        raise _unreadable(_CLUSTER, "networking", networking, "a mapping")
    known = cluster.networking
    return replace(
        cluster,
        control_plane_endpoint=cluster.control_plane_endpoint or endpoint_of(joined.server),
        kubernetes_version=_known_version(
            _text(live, "kubernetesVersion") or str(cluster.kubernetes_version)
        ),
        image_repository=_text(live, "imageRepository") or cluster.image_repository,
        cluster_name=_text(live, "clusterName") or cluster.cluster_name,
        networking=replace(
            known,
            service_subnet=_subnets(networking, "serviceSubnet") or known.service_subnet,
            pod_subnet=_subnets(networking, "podSubnet") or known.pod_subnet,
            dns_domain=_text(networking, "dnsDomain", "networking.") or known.dns_domain,
        ),
        kubelet_config=_kubelet(joined.kubelet_config),
    )


def _kubelet(live: Mapping[str, Any]) -> dict[str, Any]:
    port = live.get("healthzPort")
    if port is not None and (type(port) is not int or port not in _PORTS):
        raise _unreadable(_KUBELET, "healthzPort", port, "a port")
    # The kubelet takes null for absent.
    gone = ("apiVersion", "kind", *(["healthzPort"] if port is None else []))
    return {key: value for key, value in live.items() if key not in gone}


def _text(live: Mapping[str, Any], key: str, above: str = "") -> str:
    value = live.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _unreadable(_CLUSTER, above + key, value, "a text")
    return value


def _subnets(networking: Mapping[str, Any], key: str) -> str:
    """Return subnets as they are written, once each of them is known to be one."""
    written = _text(networking, key, "networking.")
    for part in written.split(",") if written else ():
        try:
            ipaddress.ip_network(part.strip())
        except ValueError as error:
            raise _unreadable(_CLUSTER, f"networking.{key}", written, "subnets") from error
    return written


def _known_version(text: str) -> Version:
    """Read the live cluster's version; raise KubeadmPyError for a minor whose parts we do not know."""
    try:
        version = Version.parse(text)
    except ValueError as error:
        raise _unreadable(_CLUSTER, "kubernetesVersion", text, "a version like v1.36.3") from error
    if version.minor_text not in RELEASES:
        raise KubeadmPyError(
            f"the cluster runs Kubernetes {version}; this kubeadm-py knows {', '.join(sorted(RELEASES))}",
            fix="join with the kubeadm-py of that Kubernetes release, or upgrade the cluster first",
        )
    return version


def _unreadable(name: str, key: str, value: object, wanted: str) -> KubeadmPyError:
    return KubeadmPyError(
        f"ConfigMap kube-system/{name}: {key} is {str(value)[:60]!r}, which is not {wanted}",
        fix=f"correct it: kubectl -n kube-system edit configmap {name}",
    )
