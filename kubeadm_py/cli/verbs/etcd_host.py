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
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.model.quorum import Member
from kubeadm_py.transport.base import Host, Result

TIMEOUT_SECONDS = 60.0
_NO_SUCH_PROGRAM = 127


def mebibytes(size: int | None) -> str:
    """Return bytes as people read a database's size; - where it is not known."""
    return "-" if size is None else f"{size / (1 << 20):.1f} MiB"


@dataclass(frozen=True, slots=True)
class EtcdSurvey:
    """Hold the members, what those say that answer, and why client URLs are not well."""

    members: list[Member]
    said: list[etcd.Endpoint]
    unwell: dict[str, str]

    def of(self, member: Member) -> etcd.Endpoint | None:
        """Return what a member says of itself; None where it does not answer."""
        return next((each for each in self.said if each.member_id == member.id), None)

    def why(self, member: Member) -> str:
        """Return why a member is not well; empty where it is."""
        if member.healthy:
            return ""
        return next((self.unwell[url] for url in member.client_urls if url in self.unwell), "no answer")


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
        return self.answer(self.host.run(etcd.command(words, self.access), timeout=TIMEOUT_SECONDS), doing)

    def try_to(self, *words: str, seconds: int = 5) -> Result:
        """Return what came of an etcdctl command that may fail and tell something all the same."""
        script = etcd.command(words, self.access, timeout=f"{seconds}s")
        return self.host.run(script, timeout=seconds + TIMEOUT_SECONDS)

    def ask_at(self, url: str, *words: str, doing: str, seconds: int) -> bytes:
        """Ask one member alone, and leave it so much time."""
        access = replace(self.access, endpoints=(url,))
        script = etcd.command(words, access, timeout=f"{seconds}s")
        return self.answer(self.host.run(script, timeout=seconds + TIMEOUT_SECONDS), doing)

    def survey(self) -> EtcdSurvey:
        """Ask for the members, and each of them how it is."""
        raw = self.ask("member", "list", "-w", "json", doing="listing the members")
        # Both fail where any member is silent, and tell of the others all the same.
        health = self.try_to("endpoint", "health", "--cluster", "-w", "json")
        said = self.try_to("endpoint", "status", "--cluster", "-w", "json")
        found = etcd.members(raw, etcd.healthy(health.stdout))
        return EtcdSurvey(found, etcd.endpoints(said.stdout), etcd.unhealthy(health.stdout))

    def answer(self, result: Result, doing: str) -> bytes:
        """Return what etcdctl printed; raise KubeadmPyError where it failed."""
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
        f"install etcdctl there, or bring it there: {typed.command('apply', config=config)}",
    )
