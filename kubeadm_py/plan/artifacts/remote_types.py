"""Bring the CustomResourceDefinitions that upstream publishes, before any host is touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubeadm_py.addons import plain, shape
from kubeadm_py.addons.stages import TYPE
from kubeadm_py.artifacts import documents
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.actions import Late, LocalFile
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.base import StepContext


@dataclass(slots=True)
class RemoteTypes:
    """Hold what was fetched for a run."""

    cluster: ResolvedCluster
    bundled: Mapping[str, LocalFile] = field(default_factory=dict)
    """What a bundle brings along, by URL."""
    fetched: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """(the add-on's name, path or URL) -> its types."""

    def fetch(self, ctx: StepContext) -> None:
        """Fetch what a leader's plan asks for; raise KubeadmPyError where it cannot be had."""
        wanted = cluster_objects.types_to_fetch(ctx)
        if not wanted:
            return
        lock = LockFile.beside(self.cluster.source_file)
        folder = Path(self.cluster.source_file).parent
        for name, where in wanted:
            text = documents.fetch(where, lock, folder, bundled=self.bundled).decode("utf-8", "replace")
            types = [item for item in plain.objects(text, where) if item["kind"] == TYPE]
            if not types:
                raise KubeadmPyError(f"{where} holds no CustomResourceDefinition", fix="check the address")
            for item in types:
                # Not a part of it: some publish what their own cluster said.
                item.pop("status", None)
                shape.label(item, name)
            self.fetched[name, where] = types

    def produce(self, _host: str, late: Late) -> bytes:
        """Return the types that a Late stands for."""
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": self.fetched[late.args]}).encode()
