"""Try from the hosts whether they reach what they must: tunnels change nothing and cost no round trip."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import ports
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.networking import join_host_port, split_host_port
from kubeadm_py.plan.run import Run
from kubeadm_py.preflight.checks.ports import needed_connections
from kubeadm_py.preflight.context import Reach
from kubeadm_py.transport.fanout import fan_out

TIMEOUT_SECONDS = 3.0
VIP_TIMEOUT_SECONDS = 1.0
"""Who has an address in the same subnet answers at once."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Hold one connection to try: it is judged as a matter of the host `about`."""

    about: str
    session: Session
    address: str
    port: int

    @property
    def name(self) -> str:
        """Return the key that its outcome is filed under."""
        return f"{self.about}: {self.place}"

    @property
    def place(self) -> str:
        """Return what this attempt is called in a finding."""
        place = join_host_port(self.address, self.port)
        return place if self.session.name == self.about else f"{place} (from {self.session.name})"


def survey(
    run: Run, names: Sequence[str], *, endpoint: str = "", leader: Session | None = None
) -> dict[str, dict[str, Reach]]:
    """Return per host how each attempt ended.

    A joining host must reach `endpoint`; the `leader`'s API server must reach the host's kubelet. Where every
    node has its own balancer, what matters is what stands behind that: the leader's API server.
    """
    if leader is not None and run.cluster.load_balancer is LoadBalancer.NODE_LOCAL:
        endpoint = leader.node.local_endpoint
    attempts = []
    for name in names:
        session = run.sessions[name]
        for address, port in needed_connections(run.cluster, session.node, endpoint=endpoint):
            if _is_here(run, address):
                attempts.append(_Attempt(name, session, address, port))
        if leader is not None and session.node.addresses:
            attempts.append(_Attempt(name, leader, session.node.address, ports.KUBELET))
    outcomes = fan_out(attempts, _try)
    found: dict[str, dict[str, Reach]] = {name: {} for name in names}
    for attempt in attempts:
        outcome = outcomes[attempt.name]
        if outcome.value is not None:
            found[attempt.about][attempt.place] = outcome.value
    return found


def before_the_cluster(run: Run, name: str) -> tuple[Reach | None, Reach | None]:
    """Try, from a future control plane, what should answer at the endpoint by now and what should not.

    The first value is how it ended at a vip that no host of this run holds, the second at an external
    endpoint; None for what the config has not, and for what cannot be tried.
    """
    cluster, session = run.cluster, run.sessions[name]
    if not cluster.control_plane_endpoint or cluster.load_balancer is LoadBalancer.NODE_LOCAL:
        return None, None
    host, port = split_host_port(cluster.control_plane_endpoint)
    if cluster.load_balancer is LoadBalancer.EXTERNAL:
        resolved = session.facts.resolved.get(host)
        return None, None if resolved == () else _connect(session, host, port, TIMEOUT_SECONDS)
    held = any(
        ipaddress.ip_interface(cidr).ip == ipaddress.ip_address(host)
        for other in run.sessions.values()
        for interface in other.facts.interfaces
        for cidr in interface.addresses
    )
    return None if held else _connect(session, host, port, VIP_TIMEOUT_SECONDS), None


def _is_here(run: Run, address: str) -> bool:
    """Say whether an address may be judged: a host of the file that this run has not reached may be off."""
    owner = next((node for node in run.cluster.nodes if address in node.addresses), None)
    return owner is None or owner.name in run.sessions or owner in run.cluster.control_planes


def _try(attempt: _Attempt) -> Reach:
    return _connect(attempt.session, attempt.address, attempt.port, TIMEOUT_SECONDS)


def _connect(session: Session, address: str, port: int, seconds: float) -> Reach:
    try:
        with session.host.tunnel(address, port, seconds):
            return Reach.OPEN
    except ConnectionRefusedError:
        return Reach.REFUSED
    except TimeoutError:
        return Reach.TIMEOUT
    except KubeadmPyError:
        return Reach.FORBIDDEN
