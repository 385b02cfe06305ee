"""Judge what kubelets ask for, between two round trips to the leading control plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.kube import signing_requests
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.pki.node_request import user_of
from kubeadm_py.plan.run import Run
from kubeadm_py.steps.kubelet import serving as kubelet_serving
from kubeadm_py.transport.base import Host

PATIENCE_SECONDS = 40
"""A kubelet asks within seconds of its start; a loaded machine takes longer."""


def is_new(cluster: ResolvedCluster, session: Session) -> bool:
    """Say whether a host's kubelet asks for the first time in this run: it did not when it was looked at."""
    fact = session.facts.files.get(paths.KUBELET_CONFIG)
    if fact is None or fact.content is None:
        return True
    if not kubelet_serving.asks_the_cluster(cluster):
        return False
    return b"serverTLSBootstrap: true" not in fact.content or paths.KUBELET_CONF not in session.facts.files


def awaited(run: Run, host: Host, nodes: Sequence[str], *, cluster: ResolvedCluster) -> tuple[str, ...]:
    """Wait until these nodes have asked, and return the names of the requests to approve."""
    listed = signing_requests.listed(signing_requests.wait_for(host, nodes, PATIENCE_SECONDS))
    found = signing_requests.pending(listed)
    asked = {str(item.get("spec", {}).get("username")) for item in found}
    silent = [name for name in nodes if user_of(name) not in asked]
    if silent:
        run.warn(
            f"{', '.join(silent)}: no serving certificate was asked for within {PATIENCE_SECONDS} s",
            fix=f"run apply again later: kubeadm-py apply --config {run.config_name or 'FILE'}",
        )
    return judged(run, found, cluster)


def judged(run: Run, found: Iterable[Mapping[str, Any]], cluster: ResolvedCluster) -> tuple[str, ...]:
    """Return the names of the requests to approve, and tell why others are not."""
    names = []
    for item in found:
        name = str(item["metadata"]["name"])
        problem = kubelet_serving.refusal(item, cluster)
        if problem:
            run.warn(f"the request {name} is not approved: {problem}", fix=f"kubectl describe csr {name}")
        else:
            names.append(name)
    return tuple(names)
