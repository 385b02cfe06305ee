"""Find the keys that all control planes share, on whichever of them they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import typed
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.pki import presence, requests
from kubeadm_py.pki.requests import CertificateRequest, KeyPairRequest


@dataclass(frozen=True, slots=True)
class Shared:
    """Hold the authorities and key pairs that exist, each with the first host that has it whole."""

    authorities: tuple[tuple[CertificateRequest, Session], ...]
    key_pairs: tuple[tuple[KeyPairRequest, Session], ...]
    external: tuple[tuple[CertificateRequest, Session], ...] = ()
    """Authorities whose certificate exists, and whose key is on none of these hosts."""

    def paths_on(self, session: Session) -> list[str]:
        """List what is to be read from one host."""
        wanted = [
            path
            for request, owner in self.authorities
            if owner is session
            for path in (request.certificate_path, request.key_path)
        ]
        wanted += [request.certificate_path for request, owner in self.external if owner is session]
        return wanted + [pair.key_path for pair, owner in self.key_pairs if owner is session]


def authorities(cluster: ResolvedCluster) -> list[CertificateRequest]:
    """List all authorities of a cluster, with etcd's own where its members are on hosts of role etcd."""
    apart = [requests.etcd_authority(cluster)] if cluster.etcd.members is not None else []
    return [*requests.authority_requests(cluster), *apart]


def find(cluster: ResolvedCluster, sessions: Sequence[Session], etcd: Sequence[Session] = ()) -> Shared:
    """Find what exists of a cluster's shared keys; `etcd` are the hosts of role etcd.

    Raise KubeadmPyError where two control planes have different ones: they are of two clusters.
    """
    owned: list[tuple[CertificateRequest, Session]] = []
    external: list[tuple[CertificateRequest, Session]] = []
    for request in authorities(cluster):
        apart = cluster.etcd.members is not None and request.name == requests.ETCD_CA
        places = etcd if apart else sessions
        holders = _having(cluster, places, request, presence.Presence.OWN)
        owned += [(request, session) for session in holders[:1]]
        if not holders:
            keyless = _having(cluster, places, request, presence.Presence.EXTERNAL)
            external += [(request, session) for session in keyless[:1]]
    pairs = []
    for pair in requests.key_pair_requests(cluster):
        holders = [session for session in sessions if pair.key_path in session.facts.files]
        _agree(cluster, pair.key_path, holders)
        # Tokens are signed with one and checked with the other: each must be the same everywhere.
        _agree(
            cluster,
            pair.public_key_path,
            [session for session in sessions if pair.public_key_path in session.facts.files],
        )
        pairs += [(pair, session) for session in holders[:1]]
    return Shared(tuple(owned), tuple(pairs), tuple(external))


def _having(
    cluster: ResolvedCluster,
    sessions: Sequence[Session],
    request: CertificateRequest,
    state: presence.Presence,
) -> list[Session]:
    having = [session for session in sessions if presence.of(request, session.facts.files) is state]
    _agree(cluster, request.certificate_path, having)
    return having


def _agree(cluster: ResolvedCluster, path: str, holders: Sequence[Session]) -> None:
    for other in holders[1:]:
        if holders[0].facts.files[path].sha256 != other.facts.files[path].sha256:
            raise KubeadmPyError(
                f"{path} is not the same on {holders[0].name} and {other.name}",
                host=other.name,
                details=["control planes of one cluster share it; these two are of different clusters"],
                fix=f"look which is wrong, and take it back: {typed.at(cluster, other.node, 'reset')}",
            )
