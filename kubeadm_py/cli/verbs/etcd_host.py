"""Reach a host that can ask etcd: one that runs a member, or a control plane where others run etcd."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kubeadm_py.cli.verbs import reading
from kubeadm_py.cli.verbs.errand import errand, first
from kubeadm_py.cli.verbs.leader import this_machine
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.facts.collect import LITTLE
from kubeadm_py.kube import etcd
from kubeadm_py.model import typed
from kubeadm_py.model.cluster import Node, ResolvedCluster
from kubeadm_py.transport.base import Host, Result

TIMEOUT_SECONDS = 60.0
_NO_SUCH_PROGRAM = 127


@dataclass(frozen=True, slots=True)
class EtcdHost:
    """Hold the host, how it reaches etcd, and what helps where it does not."""

    host: Host
    access: etcd.Access
    look: str
    """What to type where etcd does not answer."""
    lacks: str
    """What to do where the host has no etcdctl."""

    def ask(self, *words: str, doing: str) -> bytes:
        """Return what etcdctl prints, in one round trip; raise KubeadmPyError if it fails."""
        return self._answer(self.host.run(etcd.command(words, self.access), timeout=TIMEOUT_SECONDS), doing)

    def try_to(self, *words: str) -> Result:
        """Return what came of an etcdctl command that may fail and tell something all the same."""
        return self.host.run(etcd.command(words, self.access, timeout="5s"), timeout=TIMEOUT_SECONDS)

    def ask_at(self, url: str, *words: str, doing: str, seconds: int) -> bytes:
        """Ask one member alone, and leave it so much time."""
        access = replace(self.access, endpoints=(url,))
        script = etcd.command(words, access, timeout=f"{seconds}s")
        return self._answer(self.host.run(script, timeout=seconds + TIMEOUT_SECONDS), doing)

    def _answer(self, result: Result, doing: str) -> bytes:
        if result.ok:
            return result.stdout
        lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
        missing = result.exit_code == _NO_SUCH_PROGRAM
        raise KubeadmPyError(
            f"{doing} failed" + (": there is no etcdctl on the host" if missing else ""),
            host=self.host.name,
            details=[] if missing else [line[:300] for line in lines[-5:]],
            fix=self.lacks if missing else self.look,
        )


@contextlib.contextmanager
def etcd_host(
    config: str, hosts: Sequence[str], *, lock: bool = False, allow_unknown_fields: bool = False
) -> Iterator[EtcdHost]:
    """Yield what etcd is asked from: a host of the file, by --host, or this very machine.

    With `lock` all hosts that could be asked are locked meanwhile.
    """
    if hosts and not config:
        raise UsageError("--host names hosts of a config", fix="add --config FILE")
    cluster = this_machine()
    if config:
        cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    able = cluster.etcd_members if cluster.etcd.ours is not None else cluster.control_planes
    candidates = reading.choose(cluster, hosts) if hosts else able
    strangers = [node.name for node in candidates if node not in able]
    if strangers:
        names = ", ".join(node.name for node in able)
        ours = cluster.etcd.ours is not None
        raise UsageError(
            f"--host {', '.join(strangers)}: "
            + ("no member of etcd runs there" if ours else "only control planes can ask etcd"),
            fix=f"these run one: {names}" if ours else f"these can: {names}",
        )
    with errand("etcd", cluster, config) as run:
        if lock:
            run.look(sorted(able, key=lambda node: node.name), parts=LITTLE)
            session = run.sessions[candidates[0].name]
        else:
            session = first(run, candidates)
        yield _reached(cluster, session.node, session.host, config)


def _reached(cluster: ResolvedCluster, node: Node, host: Host, config: str) -> EtcdHost:
    external = cluster.etcd.external
    if cluster.etcd.ours is None and external is not None:
        return EtcdHost(
            host,
            etcd.Access.of_others(external),
            f"others run this etcd: does it answer there? {' '.join(external.endpoints)}",
            "install etcdctl there: where others run etcd kubeadm-py brings none",
        )
    if not config:
        return EtcdHost(
            host,
            etcd.Access.of_member(cluster.certificates_dir),
            f"{typed.logs('etcd')}     (without --config this machine is asked)",
            "without --config this machine is asked, which runs no etcd of a cluster: add --config FILE",
        )
    return EtcdHost(
        host,
        etcd.Access.of_member(cluster.certificates_dir),
        typed.logs("etcd", node.name, config),
        "install etcdctl there, or bring it there: kubeadm-py apply",
    )
