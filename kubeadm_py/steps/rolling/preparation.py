"""Guard what changes below a host that works: its container runtime, the kubelet's program and unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubeadm_py.model.actions import (
    PREPARATION_GUARD,
    Action,
    Guard,
    Remove,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.prepare import runtime, workflow
from kubeadm_py.steps.rolling import guard as rolling
from kubeadm_py.steps.rolling import waits as rolling_waits

_UNITS = (runtime.UNIT, kubelet_start.UNIT)
"""Services whose restart may fail, in the order in which they are started."""


def guarded(ctx: StepContext, planned: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Return the steps, with a guard around those that restart what works.

    What sets the kernel up comes before it: no service falls with that, and a file alone would not take it
    back.
    """
    before = [step for step in planned if step.step in workflow.SETTINGS]
    changing = [step for step in planned if step.step not in workflow.SETTINGS]
    actions = [action for step in changing for action in step.actions]
    begun = rolling.begun(ctx, PREPARATION_GUARD)
    restarted = {action.name for action in actions if isinstance(action, Unit) and action.state}
    units = [name for name in _UNITS if begun or name in restarted]
    if ctx.phases.only or not units or not rolling.works(ctx, begun):
        return tuple(planned)
    written = [spec.path for each in actions if isinstance(each, WriteFiles) for spec in each.files]
    removed = [path for each in actions if isinstance(each, Remove) for path in each.paths]
    files = tuple(dict.fromkeys((*begun, *written, *removed)))
    recover = (*_restarts(units, "what it reads is put back"), *_waits(ctx, units))
    cut_off = [name for name in units if name not in restarted]
    closing = [*_restarts(cut_off, "a run before this one was cut off"), *_waits(ctx, units), Settle()]
    return (
        *before,
        PlannedStep("rolling", "keep what changes", (Guard(files, recover=recover, name=PREPARATION_GUARD),)),
        *changing,
        PlannedStep("rolling", "the host works", tuple(closing)),
    )


def _restarts(names: Iterable[str], reason: str) -> list[Action]:
    return [Unit(name, state="restarted", daemon_reload=True, reason=reason) for name in names]


def _waits(ctx: StepContext, units: Sequence[str]) -> list[Wait]:
    """Wait until the runtime answers and stays up, and until the kubelet works with it."""
    runs = [runtime.ready(ctx), rolling_waits.unit_steady(runtime.UNIT)] if runtime.UNIT in units else []
    return [*runs, rolling.kubelet_works(ctx)]
