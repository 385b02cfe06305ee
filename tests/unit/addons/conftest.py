"""Build small clusters and add-on folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.versions import Version

MakeCluster = Callable[..., ResolvedCluster]
NEEDED: dict[str, dict[str, Any]] = {"glusterfs": {"hosts": ["10.250.0.1", "10.250.0.2"]}}
"""Parameters that an add-on cannot do without."""


@pytest.fixture
def make_cluster() -> MakeCluster:
    def make(
        *addons: AddonRequest, pod_subnet: str = "10.244.0.0/16", version: str = "v1.36.3", **more: Any
    ) -> ResolvedCluster:
        return ResolvedCluster(
            name="demo",
            kubernetes_version=Version.parse(version),
            nodes=(),
            networking=Networking(pod_subnet=pod_subnet),
            addons=addons,
            **{"control_plane_endpoint": "api.example.test:7443", **more},
        )

    return make


@pytest.fixture
def write_addon(tmp_path: Path) -> Callable[..., str]:
    """Write an add-on folder and return its path; keywords replace or (None) remove keys."""

    def write(name: str = "sample", manifests: dict[str, str] | None = None, **keys: Any) -> str:
        document: dict[str, Any] = {
            "apiVersion": "kubeadm-py.io/v1alpha1",
            "kind": "Addon",
            "name": name,
            "version": "v1.0.0",
            "description": "A sample",
            "status": "supported",
            "verified": "rendered",
            "kubernetes": ">=1.35",
            **keys,
        }
        folder = tmp_path / name
        (folder / "manifests").mkdir(parents=True)
        kept = {key: value for key, value in document.items() if value is not None}
        (folder / "addon.yaml").write_text(yaml.safe_dump(kept))
        for file, text in (manifests or {}).items():
            (folder / "manifests" / file).write_text(text)
        return str(folder)

    return write
