"""Say why something changes: which key of the config is not what the cluster was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kubeadm_py.model import keys, paths
from kubeadm_py.model.adoption import CLUSTER_DOCUMENT
from kubeadm_py.model.changes import Change, Sign
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.keys import KeyPath
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.render import component_configs
from kubeadm_py.render.cluster_configuration import cluster_configuration
from kubeadm_py.steps.nodes import mark as mark_node
from kubeadm_py.steps.objects.groups import addon_phase

Place = Callable[[str, KeyPath], str]
"""Say where a document of this kind has a key, as FILE:LINE; empty where it does not."""

CLUSTER, KUBELET, KUBE_PROXY = "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"
LIVE_FORMS = {
    CLUSTER: ("ConfigMap kube-system/kubeadm-config", "ClusterConfiguration"),
    KUBELET: ("ConfigMap kube-system/kubelet-config", "kubelet"),
    KUBE_PROXY: ("ConfigMap kube-system/kube-proxy", "config.conf"),
}
"""Kind -> the ConfigMap, and the key in it, in which the cluster keeps the form that it was given last."""

_EVERYWHERE: tuple[KeyPath, ...] = (("imageRepository",), ("kubernetesVersion",), ("featureGates",))
_PKI: tuple[KeyPath, ...] = (("encryptionAlgorithm",), ("certificateValidityPeriod",), ("certificatesDir",))
_MANIFESTS = f"{paths.MANIFESTS_DIR}/"
_CAUSES: Mapping[str, tuple[tuple[str, KeyPath], ...]] = {
    f"{_MANIFESTS}kube-apiserver.yaml": (
        (CLUSTER, ("apiServer", "extraArgs")),
        (CLUSTER, ("apiServer", "extraEnvs")),
        (CLUSTER, ("apiServer", "extraVolumes")),
        (CLUSTER, ("networking", "serviceSubnet")),
        (CLUSTER, ("networking", "dnsDomain")),
        (CLUSTER, ("certificatesDir",)),
        (CLUSTER, ("etcd", "external")),
        *((CLUSTER, path) for path in _EVERYWHERE),
    ),
    f"{_MANIFESTS}kube-controller-manager.yaml": (
        (CLUSTER, ("controllerManager",)),
        (CLUSTER, ("networking",)),
        (CLUSTER, ("clusterName",)),
        (CLUSTER, ("certificatesDir",)),
        (CLUSTER, ("caCertificateValidityPeriod",)),
        *((CLUSTER, path) for path in _EVERYWHERE),
    ),
    f"{_MANIFESTS}kube-scheduler.yaml": (
        (CLUSTER, ("scheduler",)),
        *((CLUSTER, path) for path in _EVERYWHERE),
    ),
    f"{_MANIFESTS}etcd.yaml": (
        (CLUSTER, ("etcd", "local", "extraArgs")),
        (CLUSTER, ("etcd", "local", "extraEnvs")),
        (CLUSTER, ("etcd", "local", "imageRepository")),
        (CLUSTER, ("etcd", "local", "imageTag")),
        (CLUSTER, ("etcd", "local", "dataDir")),
        *((CLUSTER, path) for path in _EVERYWHERE),
    ),
    paths.KUBELET_CONFIG: ((KUBELET, ()),),
    paths.KUBELET_INSTANCE_CONFIG: ((KUBELET, ()),),
    "ConfigMap kube-system/kubeadm-config": ((CLUSTER, ()),),
    "ConfigMap kube-system/kubelet-config": ((KUBELET, ()),),
    "ConfigMap kube-system/kube-proxy": ((KUBE_PROXY, ()), (CLUSTER, ("controlPlaneEndpoint",))),
    "DaemonSet kube-system/kube-proxy": tuple((CLUSTER, path) for path in _EVERYWHERE),
    "ConfigMap kube-public/cluster-info": ((CLUSTER, ("controlPlaneEndpoint",)),),
    "Deployment kube-system/coredns": ((CLUSTER, ("dns",)), (CLUSTER, ("imageRepository",))),
    "ConfigMap kube-system/coredns": ((CLUSTER, ("networking", "dnsDomain")),),
}
"""What changes -> the keys that it is made from."""
_CERTIFICATES: Mapping[str, tuple[KeyPath, ...]] = {
    "apiserver": (
        ("apiServer", "certSANs"),
        ("controlPlaneEndpoint",),
        ("networking", "serviceSubnet"),
        ("networking", "dnsDomain"),
        *_PKI,
    ),
    "etcd/server": (("etcd", "local", "serverCertSANs"), *_PKI),
    "etcd/peer": (("etcd", "local", "peerCertSANs"), *_PKI),
}
_KUBECONFIGS: tuple[KeyPath, ...] = (("controlPlaneEndpoint",), ("clusterName",), *_PKI)
_ADDON = f"of {addon_phase('')}"
"""How the reasons of an add-on's objects begin, where a step knows no better."""
_MOST = 3
"""Keys that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Hold which keys of which kind differ from what the cluster was given last."""

    certificates_dir: str
    changed: Mapping[str, tuple[KeyPath, ...]]
    place: Place

    def __call__(self, _host: str, change: Change) -> str:
        """Return the keys that explain a change; empty where none does."""
        if change.sign is Sign.DRIFT:
            return ""
        ours = self._of_cluster(change)
        if ours:
            named = [self._named(CLUSTER_DOCUMENT, path).partition(".")[2] for path in ours]
            return f"of {', '.join(named)}"
        if change.kind not in ("file", "object"):
            return ""
        found = [
            (kind, path)
            for kind, prefix in self._causes(change.subject)
            for path in self.changed.get(kind, ())
            if path[: len(prefix)] == prefix
        ]
        if not found:
            return ""
        named = [self._named(kind, path) for kind, path in dict.fromkeys(found)]
        more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
        return f"{', '.join(named[:_MOST])}{more} changed"

    def _of_cluster(self, change: Change) -> list[KeyPath]:
        """Return what of our own document a change is of: an add-on, hosts whose nodes are marked."""
        if change.because.startswith(_ADDON):
            return [("spec", "addons", change.because.removeprefix(_ADDON))]
        if change.kind == "node" and change.subject.startswith(mark_node.TITLE):
            names = change.subject.removeprefix(mark_node.TITLE).split(", ")
            return [("spec", "hosts", name) for name in names[:_MOST]]
        return []

    def _causes(self, subject: str) -> Sequence[tuple[str, KeyPath]]:
        if subject in _CAUSES:
            return _CAUSES[subject]
        if subject.startswith(f"{self.certificates_dir}/"):
            name = subject.removeprefix(f"{self.certificates_dir}/").rpartition(".")[0]
            return [(CLUSTER, path) for path in _CERTIFICATES.get(name, _PKI)]
        if subject.startswith(f"{paths.KUBERNETES_DIR}/") and subject.endswith(".conf"):
            return [(CLUSTER, path) for path in _KUBECONFIGS]
        return ()

    def _named(self, kind: str, path: KeyPath) -> str:
        prefix = "" if kind == CLUSTER else f"{kind}."
        where = self.place(kind, path)
        return f"{prefix}{keys.text(path)}" + (f" ({where})" if where else "")


def reasons(cluster: ResolvedCluster, live: LiveObjects | None, place: Place) -> Reasons:
    """Compare what the cluster's own ConfigMaps say with what they will say."""
    changed: dict[str, tuple[KeyPath, ...]] = {}
    for kind, wanted in forms(cluster).items():
        before = live_form(live, kind)
        if before is not None:
            changed[kind] = tuple(keys.changed(before, wanted))
    return Reasons(cluster.certificates_dir, changed, place)


def forms(cluster: ResolvedCluster) -> dict[str, dict[str, Any]]:
    """Return the configurations that the cluster is to keep, by kind."""
    return {
        CLUSTER: cluster_configuration(cluster),
        KUBELET: component_configs.kubelet_configuration(cluster),
        KUBE_PROXY: component_configs.kube_proxy_configuration(cluster),
    }


def live_form(live: LiveObjects | None, kind: str) -> dict[str, Any] | None:
    """Return a configuration as the cluster keeps it; None where it has none that can be read."""
    name, key = LIVE_FORMS[kind]
    data = (live.there.get(name, {}) if live is not None else {}).get("data") or {}
    try:
        document = yaml.load(data.get(key) or "", Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return document if isinstance(document, dict) else None
