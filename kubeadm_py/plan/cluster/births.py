"""Decide which control planes found the etcd cluster together, and which come later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import typed
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import LocalEtcd
from kubeadm_py.model.etcd import Birth, peer_url
from kubeadm_py.render import probes
from kubeadm_py.steps import applied
from kubeadm_py.steps.etcd import birth as etcd_birth


@dataclass(frozen=True, slots=True)
class Births:
    """Hold how each control plane's member is, or was, born."""

    of: dict[str, Birth | None] = field(default_factory=dict)
    """Host -> its birth; None where its manifest tells, or where it runs no etcd."""
    late: tuple[str, ...] = ()
    """Hosts that come to a cluster which has begun without them: their members begin as learners."""
    again: Mapping[str, str] = field(default_factory=dict)
    """Hosts that begin anew -> where their members were awaited: one founder's address was wrong, and so they
    never came together."""
    up: frozenset[str] = frozenset()
    """Hosts whose member runs now, whatever their note says: a run may be cut off before it notes it."""

    @property
    def settled(self) -> bool:
        """Say whether every member has been up before: they need not start together any more."""
        return all(birth is None or birth.started or name in self.up for name, birth in self.of.items())


def decide(cluster: ResolvedCluster, sessions: Sequence[Session]) -> Births:
    """Decide from what every host has that is to run a member; all of them must have been probed.

    A member may be started as `new` where nobody has begun, or where its own host's record says that it
    was to found the cluster and that it was never up (design rule 2). Raise KubeadmPyError where a member
    has lost its data: started again it could found a second cluster; and where all that have begun joined
    a cluster whose founders are no hosts of the file.
    """
    local = cluster.etcd.ours
    if local is None:
        return Births()
    begun = {session.name for session in sessions if _has_begun(session, local)}
    records = {session.name: etcd_birth.recorded(session.facts) for session in sessions}
    for session in sessions:
        record = records[session.name]
        if record is not None and record.started and not _has_data(session, local):
            raise KubeadmPyError(
                f"etcd's data in {local.data_dir} is gone, and its member has been up before",
                host=session.name,
                details=["started anew beside the others' data it could found a second cluster"],
                fix=f"restore {local.data_dir} from a backup, or take the host back first: "
                f"{typed.at(cluster, session.node, 'reset')}",
            )
    founders = Birth(tuple((session.name, peer_url(session.node)) for session in sessions))
    if not begun:
        return Births({session.name: founders for session in sessions})
    up = frozenset(session.name for session in sessions if _is_up(session, local))
    mistaken = {session.name for session in sessions if _elsewhere(session, records[session.name])} - up
    if mistaken and not _came_together(sessions, records, up):
        awaited = {name: _awaited_at(name, records[name]) for name in begun}
        return Births({session.name: founders for session in sessions}, again=awaited)
    known = [
        session.name
        for session in sessions
        if session.name not in mistaken
        and (records[session.name] or (session.name in begun and not _joins_still(session)))
    ]
    if not known:
        lone = next(session for session in sessions if session.name in begun)
        raise KubeadmPyError(
            "its etcd member joined others, and no control plane of the file is one of them",
            host=lone.name,
            details=["the cluster that it joined has no other host in this file, or is gone"],
            fix=f"name the control planes of its cluster in the file, or give the host up: "
            f"{typed.at(cluster, lone.node, 'reset')}",
        )
    return Births(
        {name: records[name] for name in known},
        tuple(session.name for session in sessions if session.name not in known),
        {name: _awaited_at(name, records[name]) for name in mistaken & begun},
        up,
    )


def _elsewhere(session: Session, birth: Birth | None) -> bool:
    """Say whether a founder that was never up was to be found at another address than its host has now."""
    if birth is None or birth.started or birth.state != "new":
        return False
    return dict(birth.members).get(session.name) != peer_url(session.node)


def _awaited_at(name: str, birth: Birth | None) -> str:
    return dict(birth.members).get(name, "") if birth is not None else ""


def _came_together(
    sessions: Sequence[Session], records: Mapping[str, Birth | None], up: frozenset[str]
) -> bool:
    """Say whether the founders' cluster may ever have held anything."""
    started = any(birth is not None and birth.started for birth in records.values())
    return started or bool(up) or any(applied.AUTHORITY in session.facts.files for session in sessions)


def _joins_still(session: Session) -> bool:
    """Say whether a later member was cut off on its way in: it may still be a learner."""
    birth = etcd_birth.in_manifest(session.facts)
    return birth is not None and birth.state == "existing" and applied.AUTHORITY not in session.facts.files


def _is_up(session: Session, local: LocalEtcd) -> bool:
    port = probes.etcd_clients(local, session.node).port
    return _has_data(session, local) and any(each.port == port for each in session.facts.listeners)


def _has_data(session: Session, local: LocalEtcd) -> bool:
    # Not any entry: a file system of its own has a lost+found.
    return f"{local.data_dir}/member" in session.facts.files


def _has_begun(session: Session, local: LocalEtcd) -> bool:
    """Say whether a member was started here, or may be starting right now."""
    return _has_data(session, local) or etcd_birth.MANIFEST in session.facts.files
