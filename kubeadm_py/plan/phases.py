"""Say which of kubeadm's phases a run does, and refuse names that are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubeadm_py.errors import UsageError
from kubeadm_py.model import phases
from kubeadm_py.model.phases import Phase, Selection
from kubeadm_py.plan.workflows import StageDefinition


def selection(known: Sequence[Phase], only: Iterable[str], *skipped: Iterable[str]) -> Selection:
    """Return the phases of a run: those to skip are of the config and of the command line.

    Raise UsageError for a name that is no phase.
    """
    names = [phase.name for phase in known]
    left_out = tuple(dict.fromkeys(name for each in skipped for name in each))
    for name in (*only, *left_out):
        if name not in names:
            raise UsageError(
                f"there is no phase {name} to {'skip' if name in left_out else 'run'}",
                fix=f"one of {', '.join(phase.name for phase in known if not phase.parent)}",
            )
    return Selection(tuple(only), left_out)


def refuse_idle(verb: str, known: Sequence[Phase], chosen: Selection, *stages: StageDefinition) -> None:
    """Raise UsageError where a phase is to run that nothing in these stages does yet."""
    done = {phase for stage in stages for step in stage.steps for phase in (step.phase, *step.goes_with)}
    done |= {phases.PREFLIGHT, phases.SHOW_JOIN_COMMAND}
    for name in chosen.only:
        mine = [phase.name for phase in known if Selection((name,)).wants(phase.name)]
        if not any(Selection((each,)).wants(phase) for each in mine for phase in done if phase):
            raise UsageError(
                f"{verb} does nothing in the phase {name} yet",
                fix=f"leave it out; the whole {verb} does what there is",
            )
