"""Say which stages a run has before it."""

from __future__ import annotations

from kubeadm_py.engine.events import StageAhead, StagesAhead
from kubeadm_py.plan.workflows import StageDefinition


def ahead(*stages: StageDefinition) -> StagesAhead:
    """Return the event that says which stages a run has before it."""
    return StagesAhead(tuple(StageAhead(stage.id, stage.title) for stage in stages))
