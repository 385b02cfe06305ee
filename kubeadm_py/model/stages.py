"""Describe a plan: stages of hosts of steps of actions. What plan shows is what the executor runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubeadm_py.model.actions import Action, Guard, Settle, Wait


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Hold what one step wants done on one host; never without actions."""

    step: str
    title: str
    actions: tuple[Action, ...]
    provides: str = ""
    """What other hosts may wait for, there once the last action is done."""
    foreseen: bool = False
    """Whether later stages know what it leaves behind without a look at the host."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """Hold the steps of one host in a stage, in order."""

    host: str
    steps: tuple[PlannedStep, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return what is done, in order."""
        return tuple(action for step in self.steps for action in step.actions)

    @property
    def changes(self) -> int:
        """Count the actions that change something: waits only look."""
        looks = Wait | Guard | Settle
        return sum(not isinstance(action, looks) for action in self.actions)

    @property
    def unforeseen(self) -> bool:
        """Say whether the host has to be looked at again to know what it is like afterwards."""
        steps = tuple(step for step in self.steps if not step.foreseen)
        return HostPlan(self.host, steps).changes > 0

    @property
    def guarded(self) -> bool:
        """Say whether something that works is changed here: such hosts go by turns."""
        return any(isinstance(action, Guard) for action in self.actions)


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold what happens on all its hosts at once; one script a host."""

    id: str
    title: str
    hosts: tuple[HostPlan, ...]

    def actions(self) -> Iterator[tuple[str, Action]]:
        """Yield what is done, each with its host."""
        for plan in self.hosts:
            for action in plan.actions:
                yield plan.host, action

    @property
    def guarded(self) -> bool:
        """Say whether something that works is changed on any host."""
        return any(host.guarded for host in self.hosts)

    @property
    def empty(self) -> bool:
        """Say whether nothing is to be done anywhere."""
        return not any(host.steps for host in self.hosts)


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold all stages of a run, in order."""

    verb: str
    stages: tuple[Stage, ...]

    def actions(self) -> Iterator[tuple[str, Action]]:
        """Yield what is done, each with its host."""
        for stage in self.stages:
            yield from stage.actions()

    @property
    def empty(self) -> bool:
        """Say whether the hosts already are as the plan wants them."""
        return all(stage.empty for stage in self.stages)
