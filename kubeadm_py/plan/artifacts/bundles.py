"""Work out what a cluster needs of a bundle, whatever its hosts have."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.addons import load as addons
from kubeadm_py.artifacts.bundle import Bundle
from kubeadm_py.artifacts.plan import binaries_for, full_reference, images_for
from kubeadm_py.artifacts.supply import Wanted
from kubeadm_py.model import binaries, images
from kubeadm_py.model.cluster import ResolvedCluster


def wanted(cluster: ResolvedCluster, architectures: Sequence[str]) -> Wanted:
    """List the binaries, images and documents of all roles, verify's test image included.

    Raise UsageError where the add-ons do not fit.
    """
    resolved = addons.resolve(cluster)
    more = [*addons.images(resolved, cluster), images.TEST_IMAGE]
    needed = {binary: None for node in cluster.nodes for binary in binaries_for(cluster, node)}
    listed = {each: None for node in cluster.nodes for each in images_for(cluster, node, more)}
    remote = {where: None for item in resolved for _, where in item.remote_types if "://" in where}
    helpful = [each for item in resolved for each in binaries.ADDON_CNI.get(item.name, ())]
    return Wanted(
        cluster.name,
        cluster.kubernetes_version,
        tuple(needed),
        tuple(map(full_reference, listed)),
        tuple(dict.fromkeys(architectures)),
        tuple(remote),
        tuple(helpful),
    )


def lacking(bundle: Bundle, needs: Wanted) -> list[str]:
    """Name what a bundle lacks of what a cluster needs."""
    held = bundle.versions.get(binaries.KUBERNETES, "?")
    if held != str(needs.kubernetes_version):
        return [f"Kubernetes {needs.kubernetes_version}: it holds {held}"]
    view = bundle.view()
    missing = []
    for architecture in needs.architectures:
        missing += [
            f"{binary.name} for {architecture}"
            for binary in needs.binaries
            if view.file(binary, architecture) is None
        ]
        offered = bundle.images.get(architecture, {})
        missing += [f"{each} for {architecture}" for each in needs.images if each not in offered]
    return [*missing, *(url for url in needs.documents if url not in bundle.documents)]
