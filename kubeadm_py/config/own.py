"""Hold what an operator gives one host besides the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from kubeadm_py.model.node import OwnFile


@dataclass(frozen=True, slots=True)
class Own:
    """Hold a host's own files, and the manifests of its own static pods."""

    files: tuple[OwnFile, ...] = ()
    static_pods: tuple[OwnFile, ...] = ()
