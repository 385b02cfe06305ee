"""Work out which host paths a static pod mounts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import ExternalEtcd, ExtraVolume
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.versions import FLEX_VOLUME_DIR_UNTIL

FLEX_VOLUME_DIR = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"


@dataclass(frozen=True, slots=True)
class HostPath:
    """Hold one host path and where a container sees it."""

    name: str
    host_path: str
    mount_path: str
    kind: str = "DirectoryOrCreate"
    read_only: bool = True

    def volume(self) -> dict[str, Any]:
        """Return the core/v1 Volume."""
        return {"name": self.name, "hostPath": {"path": self.host_path, "type": self.kind}}

    def mount(self) -> dict[str, Any]:
        """Return the core/v1 VolumeMount."""
        mount: dict[str, Any] = {"name": self.name, "mountPath": self.mount_path}
        return {**mount, "readOnly": True} if self.read_only else mount


def merge(defaults: Iterable[HostPath], extra: Iterable[ExtraVolume]) -> list[HostPath]:
    """Return the host paths sorted by name; an extra volume replaces a default of its name."""
    merged = {path.name: path for path in defaults}
    for volume in extra:
        merged[volume.name] = HostPath(
            volume.name, volume.host_path, volume.mount_path, volume.path_type, volume.read_only
        )
    return [merged[name] for name in sorted(merged)]


def kube_apiserver(cluster: ResolvedCluster, facts: HostFacts) -> list[HostPath]:
    """Return what kube-apiserver mounts by default."""
    mounted = [_same("k8s-certs", cluster.certificates_dir), *_trust_stores(facts)]
    if cluster.etcd.external is not None:
        mounted += _external_etcd(cluster.etcd.external, [path.host_path for path in mounted])
    return mounted


def kube_controller_manager(cluster: ResolvedCluster, facts: HostFacts) -> list[HostPath]:
    """Return what kube-controller-manager mounts by default."""
    mounted = [
        _same("k8s-certs", cluster.certificates_dir),
        *_trust_stores(facts),
        _same("kubeconfig", paths.CONTROLLER_MANAGER_CONF, kind="FileOrCreate"),
    ]
    if cluster.kubernetes_version < FLEX_VOLUME_DIR_UNTIL:
        mounted.append(_same("flexvolume-dir", FLEX_VOLUME_DIR, read_only=False))
    return mounted


def kube_scheduler() -> list[HostPath]:
    """Return what kube-scheduler mounts by default."""
    return [_same("kubeconfig", paths.SCHEDULER_CONF, kind="FileOrCreate")]


def etcd(cluster: ResolvedCluster, data_dir: str) -> list[HostPath]:
    """Return what etcd mounts."""
    return [
        _same("etcd-data", data_dir, read_only=False),
        _same("etcd-certs", f"{cluster.certificates_dir}/etcd", read_only=False),
    ]


def _same(name: str, path: str, *, kind: str = "DirectoryOrCreate", read_only: bool = True) -> HostPath:
    return HostPath(name, path, path, kind, read_only)


def _trust_stores(facts: HostFacts) -> list[HostPath]:
    present = [path for path in paths.CA_CERTIFICATE_DIRS if path in facts.directories]
    return [
        _same("ca-certs", paths.SSL_CERTS_DIR),
        *(_same(path.strip("/").replace("/", "-"), path) for path in present),
    ]


def _external_etcd(external: ExternalEtcd, mounted: Sequence[str]) -> list[HostPath]:
    """Mount the directories of etcd's client files that are in no mounted one; outer ones hold inner ones."""
    files = (external.ca_file, external.cert_file, external.key_file)
    outermost: list[str] = []
    for directory in sorted({posixpath.dirname(file) for file in files if file}):
        if not any(_inside(directory, other) for other in (*mounted, *outermost)):
            outermost.append(directory)
    return [_same(f"etcd-certs-{index}", directory) for index, directory in enumerate(outermost)]


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
