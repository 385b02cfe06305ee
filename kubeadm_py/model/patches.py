"""Name what patches can change, and hold them as they were read (kubeadm contract 2.8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TARGETS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubeletconfiguration",
    "corednsdeployment",
)
KUBELET_CONFIGURATION = "kubeletconfiguration"
COREDNS_DEPLOYMENT = "corednsdeployment"
EXTENSIONS = ("json", "yaml")


class PatchType(StrEnum):
    """Name how a patch is applied; kubeadm takes the first of these words that a file's name fits."""

    JSON = "json"
    MERGE = "merge"
    STRATEGIC = "strategic"


@dataclass(frozen=True, slots=True)
class Patch:
    """Hold one document of a patch file; `content` is plain data, in which null means null."""

    target: str
    type: PatchType
    content: Any
    file: str
    """Where it was read, for messages."""
