"""Decide which control planes found the etcd cluster together, and which come later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import LocalEtcd, ResolvedCluster
from kubeadm_py.model.etcd import Birth, peer_url
from kubeadm_py.render import probes
from kubeadm_py.steps import applied, etcd_birth


@dataclass(frozen=True, slots=True)
class Births:
    """Hold how each control plane's member is, or was, born."""

    of: dict[str, Birth | None] = field(default_factory=dict)
    """Host -> its birth; None where its manifest tells, or where it runs no etcd."""
    late: tuple[str, ...] = ()
    """Hosts that come to a cluster which has begun without them: their members begin as learners."""
    up: frozenset[str] = frozenset()
    """Hosts whose member runs now, whatever their note says: a run may be cut off before it notes it."""

    @property
    def settled(self) -> bool:
        """Say whether every member has been up before: they need not start together any more."""
        return all(birth is None or birth.started or name in self.up for name, birth in self.of.items())


def decide(cluster: ResolvedCluster, sessions: Sequence[Session]) -> Births:
    """Decide from what every control plane of the file has; all of them must have been probed.

    A member may be started as `new` where nobody has begun, or where its own host's record says that it
    was to found the cluster and that it was never up (design rule 2). Raise KubeadmPyError where a member
    has lost its data: started again it could found a second cluster.
    """
    local = cluster.etcd.local
    if local is None:
        return Births({session.name: None for session in sessions})
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
                f"kubeadm-py reset --host {session.name}",
            )
    if not begun:
        founders = Birth(tuple((session.name, peer_url(session.node)) for session in sessions))
        return Births({session.name: founders for session in sessions})
    known = [
        session.name
        for session in sessions
        if records[session.name] or (session.name in begun and not _joins_still(session))
    ]
    return Births(
        {name: records[name] for name in known},
        tuple(session.name for session in sessions if session.name not in known),
        frozenset(session.name for session in sessions if _is_up(session, local)),
    )


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
