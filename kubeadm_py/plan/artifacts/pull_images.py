"""Bring the images of a config to its hosts, and do nothing else there."""

from __future__ import annotations

from datetime import UTC, datetime

from kubeadm_py.addons import load as addons
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.plan.artifacts.sources import open_for
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.prepare.images import needed_images, plan_pull


def pull(run: Run) -> dict[str, tuple[str, ...]]:
    """Pull the images of each host that was looked at, or import them from the bundle; return them by host.

    Raise RunFailedError that names every host on which an image is missing afterwards.
    """
    source = open_for(run)
    resolved = tuple(addons.resolve(run.cluster))
    plans, needed = [], {}
    for name, session in run.sessions.items():
        ctx = StepContext(
            run.cluster,
            run.cluster.node(name),
            session.facts,
            "init",
            datetime.now(UTC),
            recorded=session.inventory.files,
            artifacts=source.view,
            addons=resolved,
        )
        needed[name] = needed_images(ctx)
        actions = tuple(plan_pull(ctx))
        if actions:
            plans.append(HostPlan(name, (PlannedStep("images", "images", actions),)))
    stage = Stage("pull", "bring the images", tuple(plans))
    source.verify(stage)
    executor = run.executor({}, source.open_images)
    result = executor.run(stage)
    run.changed += sum(result.changed.values())
    if result.errors:
        raise RunFailedError(list(result.errors.values()))
    return needed
