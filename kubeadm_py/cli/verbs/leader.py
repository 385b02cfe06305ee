"""Reach a control plane, or a host that runs etcd, for a short errand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from kubeadm_py.cli.verbs import reading
from kubeadm_py.cli.verbs.errand import errand, first
from kubeadm_py.errors import UsageError
from kubeadm_py.facts.collect import LITTLE
from kubeadm_py.model.cluster import Node, ResolvedCluster, Role
from kubeadm_py.model.versions import DEFAULT_VERSION, Version
from kubeadm_py.transport.base import Host

THIS_MACHINE = Node("localhost", Role.CONTROL_PLANE, ("127.0.0.1",))


def _this_machine() -> ResolvedCluster:
    return ResolvedCluster("local", Version.parse(DEFAULT_VERSION), (THIS_MACHINE,))


@contextlib.contextmanager
def leader(
    config: str, hosts: Sequence[str], *, verb: str = "", allow_unknown_fields: bool = False
) -> Iterator[tuple[ResolvedCluster | None, Host]]:
    """Yield (cluster, a control plane that answers): of the file, by --host, or this very machine.

    Of several control planes the first that can be reached is taken.
    """
    cluster: ResolvedCluster | None = None
    candidates: Sequence[Node] = [THIS_MACHINE]
    if config:
        cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
        candidates = reading.choose(cluster, hosts) if hosts else cluster.control_planes
    elif hosts:
        raise UsageError("--host names hosts of a config", fix="add --config FILE")
    with errand(verb, cluster or _this_machine(), config) as run:
        yield cluster, first(run, candidates).host


@contextlib.contextmanager
def etcd_host(
    config: str, hosts: Sequence[str], *, lock: bool = False, allow_unknown_fields: bool = False
) -> Iterator[tuple[ResolvedCluster, Host]]:
    """Yield (cluster, a host that runs a member of etcd): of the file, by --host, or this very machine.

    With `lock` all of the file's are locked meanwhile. Raise UsageError where others run etcd.
    """
    if hosts and not config:
        raise UsageError("--host names hosts of a config", fix="add --config FILE")
    cluster = _this_machine()
    if config:
        cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    _refuse_external(cluster)
    candidates = reading.choose(cluster, hosts) if hosts else cluster.etcd_members
    strangers = [node.name for node in candidates if node not in cluster.etcd_members]
    if strangers:
        raise UsageError(
            f"--host {', '.join(strangers)}: no member of etcd runs there",
            fix=f"these run one: {', '.join(node.name for node in cluster.etcd_members)}",
        )
    with errand("etcd", cluster, config) as run:
        if lock:
            run.look(sorted(cluster.etcd_members, key=lambda node: node.name), parts=LITTLE)
            yield cluster, run.sessions[candidates[0].name].host
        else:
            yield cluster, first(run, candidates).host


def _refuse_external(cluster: ResolvedCluster) -> None:
    if cluster.etcd.ours is None:
        external = cluster.etcd.external
        raise UsageError(
            "this cluster's etcd is run by others: kubeadm-py has no part in it",
            fix=f"ask it with etcdctl --endpoints {','.join(external.endpoints if external else ())}",
        )
