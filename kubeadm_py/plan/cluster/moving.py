"""Move a running cluster's endpoint: its members first, then whoever joins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kubeadm_py.engine.parts import Part
from kubeadm_py.model import paths
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan.build import build_stage, changes
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.workflows import (
    ENDPOINT_OBJECTS,
    ENDPOINT_OLD,
    ENDPOINT_USERS,
    ENDPOINT_WAY,
    MOVE,
    StageDefinition,
)
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.base import StepContext

Checked = Callable[[Stage], Stage]
"""Look at what a stage sends before it is sent."""


class Members(Protocol):
    """Know the hosts of a file as members of the cluster whose endpoint moves."""

    @property
    def run(self) -> Run:
        """Return the run that looked at the hosts."""

    @property
    def workers(self) -> tuple[str, ...]:
        """Return the names of the workers that were reached."""

    @property
    def at_once(self) -> int:
        """Return how many hosts may be changed at a time that work."""

    @property
    def control_planes(self) -> tuple[str, ...]:
        """Return the names of the control planes that run."""

    def context(self, name: str, stage: StageDefinition) -> StepContext:
        """Return what a stage is planned from on one host."""


def hosts(members: Members) -> tuple[str, ...]:
    """Return the hosts that use the endpoint already: control planes that run, workers that have joined."""
    files = {name: session.facts.files for name, session in members.run.sessions.items()}
    joined = (name for name in members.workers if paths.KUBELET_CONF in files[name])
    return (*members.control_planes, *joined)


def needed(members: Members) -> bool:
    """Say whether anything on the members' hosts names, or stands for, another endpoint than the file's.

    What a run that was cut off has moved already needs no more; the old way to the API goes last, so that as
    long as it is there the order is kept.
    """
    return any(
        changes(_stage(members, definition, hosts(members))) for definition in (ENDPOINT_USERS, ENDPOINT_OLD)
    )


def parts(members: Members, checked: Checked, before_the_last: Sequence[Part] = ()) -> list[Part]:
    """List the stages of the move, each planned from what the one before has made.

    `before_the_last` is what has to be so on all hosts before the old way to the API goes.
    """
    *moves, last = [_part(members, definition, checked) for definition in MOVE]
    return [*moves, *before_the_last, last]


def as_it_is_now(members: Members, before_the_last: Sequence[Stage] = ()) -> tuple[Stage, ...]:
    """Plan the stages of the move from what the hosts are like now."""
    *moves, last = [_stage(members, definition, hosts(members)) for definition in MOVE]
    return (*moves, *before_the_last, last)


def _part(members: Members, definition: StageDefinition, checked: Checked) -> Part:
    # What balances or holds an address is replaced on one host after the other, as kubelets are; at a new way
    # everybody may knock at once.
    one_by_one = definition is not ENDPOINT_WAY
    return Part(
        definition.id,
        definition.title,
        hosts(members),
        lambda names: checked(_stage(members, definition, names)),
        together=True,
        in_turn=lambda stage: one_by_one and changes(stage) > 0,
        provides=(cluster_objects.MOVED,) if definition is ENDPOINT_OBJECTS else (),
        at_once=members.at_once,
        probe_after=True,
    )


def _stage(members: Members, definition: StageDefinition, names: Sequence[str]) -> Stage:
    return build_stage(definition, [members.context(name, definition) for name in names])
