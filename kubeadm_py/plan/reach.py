"""Try from the hosts whether they reach what they must: tunnels change nothing and cost no round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import ports
from kubeadm_py.model.cluster import join_host_port
from kubeadm_py.plan.run import Run
from kubeadm_py.preflight.checks.ports import needed_connections
from kubeadm_py.preflight.context import Reach
from kubeadm_py.transport.fanout import fan_out

TIMEOUT_SECONDS = 3.0


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

    A joining host must reach `endpoint`; the `leader`'s API server must reach the host's kubelet.
    """
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


def _is_here(run: Run, address: str) -> bool:
    """Say whether an address may be judged: a host of the file that this run has not reached may be off."""
    owner = next((node for node in run.cluster.nodes if address in node.addresses), None)
    return owner is None or owner.name in run.sessions or owner in run.cluster.control_planes


def _try(attempt: _Attempt) -> Reach:
    try:
        with attempt.session.host.tunnel(attempt.address, attempt.port, TIMEOUT_SECONDS):
            return Reach.OPEN
    except ConnectionRefusedError:
        return Reach.REFUSED
    except TimeoutError:
        return Reach.TIMEOUT
    except KubeadmPyError:
        return Reach.FORBIDDEN
