"""Build plans: ask each step of a workflow for its actions on each host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kubeadm_py.model.actions import Action, Wait
from kubeadm_py.model.phases import Selection
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan.workflows import StageDefinition
from kubeadm_py.steps.base import Step, StepContext


def build_stage(definition: StageDefinition, contexts: Iterable[StepContext]) -> Stage:
    """Plan one stage for all its hosts; phases that a context leaves out plan nothing."""
    return Stage(
        definition.id,
        definition.title,
        tuple(HostPlan(ctx.node.name, _planned(definition, ctx)) for ctx in contexts),
    )


def _planned(definition: StageDefinition, ctx: StepContext) -> tuple[PlannedStep, ...]:
    due = [step for step in definition.steps if (step.id in ctx.later) is definition.postponed]
    rolled = [step for step in due if step in definition.rolled]
    changing = _steps(rolled, ctx)
    others = _steps(due[len(rolled) :], ctx)
    return (*(definition.guard(ctx, changing) if definition.rolled else changing), *others)


def together(*stages: Stage) -> Stage:
    """Return one stage of all these hosts; its name is the first one's that has any."""
    first = next((stage for stage in stages if stage.hosts), stages[0])
    return Stage(first.id, first.title, tuple(host for stage in stages for host in stage.hosts))


def once(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Leave out of stages that were planned together what an earlier one does on the same host already."""
    done: dict[str, list[Action]] = {}
    found = []
    for stage in stages:
        hosts = []
        for plan in stage.hosts:
            known = done.setdefault(plan.host, [])
            steps = []
            for step in plan.steps:
                # What is waited for is waited for again: it may be another state by then.
                actions = tuple(each for each in step.actions if isinstance(each, Wait) or each not in known)
                known += actions
                steps += [replace(step, actions=actions)] if actions else []
            hosts.append(replace(plan, steps=tuple(steps)))
        found.append(replace(stage, hosts=tuple(hosts)))
    return tuple(found)


def _steps(steps: Sequence[Step], ctx: StepContext) -> tuple[PlannedStep, ...]:
    planned = []
    for step in steps:
        if not _wanted(step, ctx.phases) or (step.leader and not ctx.leader):
            continue
        actions = step.plan(ctx)
        if actions:
            planned.append(PlannedStep(step.id, step.title, tuple(actions), step.provides, step.foreseen))
    return tuple(planned)


def _wanted(step: Step, phases: Selection) -> bool:
    if step.phase:
        return phases.wants(step.phase)
    return not phases.only or any(phases.wants(each) for each in step.goes_with)


def changes(stage: Stage) -> int:
    """Count the planned actions that change something: waits only look."""
    return sum(host.changes for host in stage.hosts)


def plan_changes(plan: Plan) -> int:
    """Count the planned actions of all stages that change something."""
    return sum(changes(stage) for stage in plan.stages)
