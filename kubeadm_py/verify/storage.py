"""Say whether claims can be used in a cluster."""

from __future__ import annotations

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.verify.components import has_free_node
from kubeadm_py.verify.kubectl import Kubectl

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def obstacle(kubectl: Kubectl, cluster: ResolvedCluster) -> str:
    """Return why no claim of the default class can be used; empty where one can."""
    if not has_free_node(cluster):
        return "every node is tainted: no ordinary pod can use a claim"
    classes = kubectl.json("get", "storageclasses")["items"]
    if not any(each["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true" for each in classes):
        return "there is no default StorageClass"
    return ""
