"""Reach a control plane for a short errand that takes no lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from kubeadm_py.cli.verbs import reading
from kubeadm_py.errors import UnreachableError, UsageError
from kubeadm_py.model.cluster import Node, ResolvedCluster, Role
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.connect import host_for


@contextlib.contextmanager
def leader(
    config: str, hosts: Sequence[str], *, allow_unknown_fields: bool = False
) -> Iterator[tuple[ResolvedCluster | None, Host]]:
    """Yield (cluster, a control plane that answers): of the file, by --host, or this very machine.

    Of several control planes the first that can be reached is taken.
    """
    cluster: ResolvedCluster | None = None
    candidates = [Node("localhost", Role.CONTROL_PLANE, ("127.0.0.1",))]
    if config:
        cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
        candidates = reading.choose(cluster, hosts) if hosts else list(cluster.control_planes)
    elif hosts:
        raise UsageError("--host names hosts of a config", fix="add --config FILE")
    host = _first(candidates)
    try:
        yield cluster, host
    finally:
        host.close()


def _first(candidates: Sequence[Node]) -> Host:
    failed: UnreachableError | None = None
    for node in candidates:
        host = host_for(node)
        try:
            host.connect()
        except UnreachableError as error:
            failed = error
            host.close()
        else:
            return host
    if failed is not None:
        raise failed
    raise UsageError("the config has no control-plane host", fix="give a host the role control-plane")
