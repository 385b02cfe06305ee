"""Reach a control plane for a short errand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from kubeadm_py.cli.verbs import reading
from kubeadm_py.cli.verbs.errand import errand, first
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import DEFAULT_VERSION, Version
from kubeadm_py.transport.base import Host

THIS_MACHINE = Node("localhost", Role.CONTROL_PLANE, ("127.0.0.1",))


def this_machine() -> ResolvedCluster:
    """Return what is known of a cluster whose config nobody names."""
    return ResolvedCluster("local", Version.parse(DEFAULT_VERSION), (THIS_MACHINE,))


@contextlib.contextmanager
def leader(
    config: str,
    hosts: Sequence[str],
    *,
    verb: str = "",
    allow_unknown_fields: bool = False,
    loaded: Loaded | None = None,
) -> Iterator[tuple[ResolvedCluster | None, Host]]:
    """Yield (cluster, a control plane that answers): of the file, by --host, or this very machine.

    Of several control planes the first that can be reached is taken. `loaded` is the file, read already.
    """
    cluster: ResolvedCluster | None = None
    candidates: Sequence[Node] = [THIS_MACHINE]
    if config:
        loaded = loaded or reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
        reading.tell_warnings(loaded)
        cluster = loaded.cluster
        candidates = reading.choose(cluster, hosts) if hosts else cluster.control_planes
    elif hosts:
        raise UsageError("--host names hosts of a config", fix="add --config FILE")
    with errand(verb, cluster or this_machine(), config) as run:
        yield cluster, first(run, candidates).host
