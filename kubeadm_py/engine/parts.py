"""Describe the parts of a schedule, and how they ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.stages import Stage


@dataclass(frozen=True, slots=True)
class Part:
    """Describe one stage of a schedule: a host takes its parts in their order."""

    id: str
    title: str
    hosts: tuple[str, ...]
    plan: Callable[[Sequence[str]], Stage]
    """Plan the stage for some of its hosts, once they have come this far."""
    together: bool = False
    """Nobody begins before all its hosts are there; where one is lost before, nobody begins at all."""
    in_turn: Callable[[Stage], bool] = lambda _: False
    """Whether its hosts go one after the other, the next only where the last went well; needs `together`."""
    needs: tuple[str, ...] = ()
    """What must be there: PlannedStep.provides of other parts."""
    provides: tuple[str, ...] = ()
    """What its steps may provide: there from the start where none of them has anything to do."""
    after: tuple[str, ...] = ()
    """Parts that must have ended on all of their hosts, well or not; well where a host's plan is guarded."""
    at_once: int = 1
    """How many hosts with guarded plans are at work at a time, once the first of them has gone well."""
    probe_after: bool = False
    """Whether hosts are looked at again, for parts that come later, where what was done is not foreseen."""


@dataclass(slots=True)
class Outcome:
    """Hold how a schedule ended: changes and errors by host, and who never came to which part."""

    changed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, KubeadmPyError] = field(default_factory=dict)
    """One error may stand for several hosts: those of a part that could not be planned."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Part -> hosts that are well and did not begin it, for what they waited for did not come."""
    stages: dict[str, list[Stage]] = field(default_factory=dict)
    """Part -> what was planned."""

    def well(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Return those of these hosts that have come through everything so far."""
        lost = {host for left in self.left_out.values() for host in left} | self.errors.keys()
        return tuple(host for host in hosts if host not in lost)

    def all_errors(self) -> list[KubeadmPyError]:
        """Return every error once."""
        return list({id(error): error for error in self.errors.values()}.values())
