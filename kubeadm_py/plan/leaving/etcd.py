"""Plan who leaves etcd, in which order, and find out who does when hosts are reset."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd
from kubeadm_py.model import paths, ports, quorum
from kubeadm_py.model.actions import Action
from kubeadm_py.model.etcd import parse_members
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Node
from kubeadm_py.model.phases import REMOVE_ETCD_MEMBER
from kubeadm_py.model.quorum import Member
from kubeadm_py.model.stages import HostPlan, PlannedStep
from kubeadm_py.plan.run import Run
from kubeadm_py.steps.etcd import birth as etcd_birth
from kubeadm_py.steps.etcd.cluster import peer_url
from kubeadm_py.steps.nodes import leave

LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Leave:
    """Hold who leaves etcd, by whose hand."""

    plans: tuple[HostPlan, ...] = ()
    others_stay: bool = True
    """Whether the cluster goes on without the hosts: False where they are all of it."""
    silent: tuple[str, ...] = ()
    """Hosts with an etcd that nobody could ask."""


def judge(
    members: Sequence[Member],
    leaving: Sequence[str],
    joining: Sequence[str] = (),
    *,
    host: str = "",
    details: tuple[str, ...] | list[str] = (),
    otherwise: str = "",
) -> quorum.Verdict:
    """Judge changes of membership; raise KubeadmPyError where they would cost etcd its quorum.

    `otherwise` is what else can be done than what the verdict proposes.
    """
    verdict = quorum.judge(members, leaving, joining)
    if verdict.refused:
        fix = "; ".join(each for each in (verdict.fix, otherwise) if each)
        raise KubeadmPyError(verdict.refused, host=host, details=details, fix=fix)
    return verdict


def actions(
    members: Sequence[Member], verdict: quorum.Verdict, access: etcd.Access, timeout: str
) -> list[Action]:
    """Return what takes out those that leave, in the order of the verdict, on a host that has this access."""
    etcdctl = etcd.command((), access, timeout=timeout)
    client = access.certificate.removesuffix(".crt")
    health = [shlex.join(["kpy_ask", client, access.ca, url, "/health"]) for url in access.endpoints]
    by_name = {member.name or member.id: member for member in members}
    leaving = [by_name[change.name] for change in verdict.order if change.leaves]
    return [action for member in leaving for action in leave.leave_etcd(member, etcdctl, health)]


def plan(run: Run, targets: Sequence[Node]) -> Leave:
    """Ask etcd once who its members are, and plan who of the reached targets leaves it.

    Nobody leaves where all members are targets: their cluster ends. Raise KubeadmPyError where those that
    stay would have no quorum.
    """
    holders = [session for session in run.sessions.values() if etcd_birth.manifest_flags(session.facts)]
    if not holders:
        return Leave(others_stay=_others_in_file(run, targets))
    for session in holders:
        members = _members(run, session)
        if members:
            return _judged(run, targets, holders, session, members)
    return Leave(others_stay=_others_in_file(run, targets), silent=tuple(each.name for each in holders))


def _others_in_file(run: Run, targets: Sequence[Node]) -> bool:
    names = {node.name for node in targets}
    # A host that is reset by itself says nothing about the others of its cluster.
    return len(run.cluster.nodes) == 1 or any(node.name not in names for node in run.cluster.control_planes)


def _judged(
    run: Run, targets: Sequence[Node], holders: Sequence[Session], speaker: Session, members: list[Member]
) -> Leave:
    leaving = [member for session in holders if (member := _own(session, members)) is not None]
    unreached = [node for node in targets if node.name not in run.sessions]
    lost = [member for node in unreached if (member := _of(node, members)) is not None]
    gone = {member.id for member in (*leaving, *lost)}
    staying = [member for member in members if member.id not in gone]
    if not staying or not leaving:
        return Leave(others_stay=bool(staying))
    verdict = judge(
        members,
        [member.name or member.id for member in leaving],
        host=speaker.name,
        otherwise=f"to reset all the same and leave the member behind: --skip-phases {REMOVE_ETCD_MEMBER}",
    )
    for warning in verdict.warnings:
        run.warn(warning)
    endpoints = [url for member in staying if member.healthy for url in member.client_urls]
    planned = actions(members, verdict, _access(speaker, endpoints), f"{_seconds(run)}s")
    step = PlannedStep(REMOVE_ETCD_MEMBER, "leave etcd", tuple(planned))
    return Leave((HostPlan(speaker.name, (step,)),))


def _seconds(run: Run) -> int:
    return max(1, int(run.cluster.reset.timeouts.etcd_api_call.total_seconds()))


def _own(session: Session, members: Sequence[Member]) -> Member | None:
    """Return the member that a host's manifest describes."""
    flags = etcd_birth.manifest_flags(session.facts)
    urls = flags.get("initial-advertise-peer-urls", "").split(",")
    return quorum.find(members, urls, flags.get("name", ""))


def _of(node: Node, members: Sequence[Member]) -> Member | None:
    """Return the member of a host that cannot be asked."""
    known = bool(node.advertise_address or node.addresses)
    return quorum.find(members, [peer_url(node)] if known else [], node.name)


def _members(run: Run, session: Session) -> list[Member]:
    """Ask a host's own etcd, or one of those it was born with; nobody where none of them answers."""
    flags = etcd_birth.manifest_flags(session.facts)
    hosts = (urlsplit(url).hostname for _, url in parse_members(flags.get("initial-cluster", "")))
    others = [f"https://{join_host_port(host, ports.ETCD_CLIENT)}" for host in hosts if host]
    command = etcd.command((), _access(session, [etcd.LOCAL, *others]), timeout="5s")
    script = f"""# ask etcd who its members are
{command} member list -w json || exit 1
{command} endpoint health --cluster -w json 2>/dev/null || true
"""
    try:
        result = session.host.run(script, timeout=LOOK_SECONDS)
    except KubeadmPyError as error:
        run.warn(f"etcd could not be asked who its members are: {error.summary}", session.name)
        return []
    listed, _, health = result.stdout.strip().partition(b"\n")
    return etcd.members(listed, etcd.healthy(health)) if result.ok else []


def _access(session: Session, endpoints: Sequence[str]) -> etcd.Access:
    """Return the access of a host that has a member, with the certificates that its manifest names."""
    flags = etcd_birth.manifest_flags(session.facts)
    # .../pki/etcd/ca.crt
    authority = flags.get("trusted-ca-file", f"{paths.PKI_DIR}/etcd/ca.crt")
    folder = posixpath.dirname(posixpath.dirname(authority))
    return etcd.Access.of_member(folder, *dict.fromkeys(endpoints))
