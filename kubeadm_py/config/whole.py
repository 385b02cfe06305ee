"""Hold all documents of one config, typed, whether or not the user wrote each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel

from kubeadm_py.addons import find
from kubeadm_py.addons.find import LoadedAddon
from kubeadm_py.addons.schema import POD_NETWORK
from kubeadm_py.config import defaults
from kubeadm_py.config.check_component import check_component
from kubeadm_py.config.cluster_types import Cluster
from kubeadm_py.config.component_types import KubeletConfiguration, KubeProxyConfiguration
from kubeadm_py.config.documents import Document
from kubeadm_py.config.kubeadm_types import ClusterConfiguration, InitConfiguration, JoinConfiguration
from kubeadm_py.config.problems import Path, Problems, key_path
from kubeadm_py.config.reset_types import ResetConfiguration
from kubeadm_py.config.typed import Typed, typed
from kubeadm_py.config.upgrade_types import UpgradeConfiguration
from kubeadm_py.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)
HOSTS: Path = ("spec", "hosts")
"""Where a Cluster document lists its hosts."""


@dataclass(slots=True, eq=False)
class Absent:
    """Stand for a document that the user did not write."""

    file: str
    kind: str
    data: dict[str, Any]

    def locate(self, path: Path) -> tuple[str, int, int]:  # noqa: ARG002 - it is nowhere
        """Return the file alone."""
        return self.file, 0, 0

    def label(self, path: Path) -> str:
        """Return the kind and the key path."""
        return f"{self.kind}.{key_path(path)}" if path else self.kind

    def raw(self, path: Path) -> str:  # noqa: ARG002 - nothing is written
        """Return an empty string."""
        return ""

    def nulls(self) -> list[Path]:
        """Return none: nothing is written."""
        return []


@dataclass(frozen=True, slots=True)
class Whole:
    """Hold one config: all kinds, the absent ones with their defaults."""

    file: str
    folder: FilePath
    """Relative paths on the operator's machine start here."""
    joining: bool
    """The verb is join, so a config without a Cluster document is about one joining node."""
    init: Typed[InitConfiguration]
    cluster_configuration: Typed[ClusterConfiguration]
    join: Typed[JoinConfiguration]
    reset: Typed[ResetConfiguration]
    upgrade: Typed[UpgradeConfiguration]
    kubelet: Typed[KubeletConfiguration]
    kube_proxy: Typed[KubeProxyConfiguration]
    cluster: Typed[Cluster]

    @property
    def control_plane_here(self) -> bool:
        """Say whether the config describes a control plane of its own, not just a node that joins one."""
        if self.cluster.given:
            return any(host.role == "control-plane" for host in self.cluster.value.spec.hosts)
        return not self.joining and (
            self.init.given or self.cluster_configuration.given or not self.join.given
        )

    @property
    def pod_network_addon(self) -> str:
        """Return the add-on that brings the pod network; empty where there is none."""
        names = (each.addon.name for each in self.addons if POD_NETWORK in each.addon.provides)
        return next(names, "")

    @property
    def addons(self) -> tuple[LoadedAddon, ...]:
        """Return the add-ons that can be read; what is wrong with others is said elsewhere."""
        found = []
        for addon in self.cluster.value.spec.addons:
            place = addon.located(self.folder)
            if find.is_known(place):
                with contextlib.suppress(UsageError):
                    found.append(find.load(place))
        return tuple(found)

    @property
    def pod_subnet(self) -> str:
        """Return podSubnet as given, else the default that a pod-network add-on brings."""
        given = self.cluster_configuration.value.networking.pod_subnet
        return given or (defaults.POD_SUBNET if self.pod_network_addon else "")

    @property
    def service_subnet(self) -> str:
        """Return serviceSubnet as given, else kubeadm's default."""
        return self.cluster_configuration.value.networking.service_subnet or defaults.SERVICE_SUBNET


def read_whole(
    documents: Mapping[str, Document],
    problems: Problems,
    *,
    file: str,
    folder: FilePath,
    joining: bool = False,
    allow_unknown_fields: bool = False,
) -> Whole:
    """Type every document; wrong values become problems."""

    def take(kind: str, model: type[Model]) -> Typed[Model]:
        document = documents.get(kind)
        if document is None:
            return Typed(Absent(file, kind, {}), model(), given=False)
        value = typed(document, model, problems, allow_unknown_fields=allow_unknown_fields)
        check_component(document, problems, allow_unknown_fields=allow_unknown_fields)
        return Typed(document, value, given=True)

    return Whole(
        file=file,
        folder=folder,
        joining=joining,
        init=take("InitConfiguration", InitConfiguration),
        cluster_configuration=take("ClusterConfiguration", ClusterConfiguration),
        join=take("JoinConfiguration", JoinConfiguration),
        reset=take("ResetConfiguration", ResetConfiguration),
        upgrade=take("UpgradeConfiguration", UpgradeConfiguration),
        kubelet=take("KubeletConfiguration", KubeletConfiguration),
        kube_proxy=take("KubeProxyConfiguration", KubeProxyConfiguration),
        cluster=take("Cluster", Cluster),
    )
