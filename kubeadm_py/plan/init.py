"""Bring up the first control plane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kubeadm_py.addons import load as addons
from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.execute import Executor
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import BootstrapToken
from kubeadm_py.model.findings import Gate
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.stages import Plan, Stage
from kubeadm_py.plan import preflight
from kubeadm_py.plan.build import build_stage, changes
from kubeadm_py.plan.producers import Complete, ControlPlaneProducers
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.sources import Source, open_source
from kubeadm_py.plan.workflows import CONTROL_PLANE, PREPARE
from kubeadm_py.steps import addons_ready
from kubeadm_py.steps.base import StepContext
from kubeadm_py.token import bootstrap


@dataclass(frozen=True, slots=True)
class InitReport:
    """Hold what an init did: its plan, how much of it changed something, what still waits for a worker."""

    plan: Plan
    changed: int
    tokens: tuple[Secret, ...]
    pending: tuple[str, ...]


def init(run: Run, *, complete: Complete | None = None) -> InitReport:
    """Look, prepare, start the control plane, write the cluster's objects, wait until it works.

    Three round trips to the host. With `options.dry_run` nothing is written anywhere. Raise
    PreflightRefused, RunFailedError or what stopped the run.
    """
    source = open_source(run.cluster)
    if not run.cluster.control_planes:
        raise UsageError(
            "the config has no control-plane host", fix="give one of spec.hosts the role control-plane"
        )
    # No CA is ever made while a control-plane host of the file is unreached (design rule 5).
    run.look(run.cluster.control_planes, lock=not run.options.dry_run)
    if complete is not None:
        run.use(complete(run.cluster, {name: session.facts for name, session in run.sessions.items()}))
    node = run.cluster.control_planes[0]
    session = run.sessions[node.name]
    resolved = addons.resolve(run.cluster)
    images = addons.images(resolved, run.cluster)
    names = [node.name]
    preflight.gate(run, Gate.HOST, names, artifacts=source.view, addon_images=images)
    if not run.options.dry_run:
        source.fetch(run.cluster, run.sessions, run.say)
    session.inventory.cluster = run.cluster.name
    tokens = tuple(_with_value(token) for token in run.cluster.bootstrap_tokens)
    run.use(replace(run.cluster, bootstrap_tokens=tokens))
    now = datetime.now(UTC)
    producers = ControlPlaneProducers(run.cluster, session, now)
    executor = Executor(
        run.sessions, run.bus, producers.table(), source.open_images, run.interrupt, timings=run.timings
    )

    def context() -> StepContext:
        return StepContext(
            run.cluster,
            node,
            session.facts,
            "init",
            now,
            recorded=session.inventory.files,
            all_facts={name: other.facts for name, other in run.sessions.items()},
            artifacts=source.view,
            addons=tuple(resolved),
        )

    prepare = build_stage(PREPARE, [context()])
    if run.options.dry_run:
        control = build_stage(CONTROL_PLANE, [context()], skip_phases=_skipped(run))
        return InitReport(Plan("init", (prepare, control)), 0, (), ())
    try:
        producers.prepare()
        _execute(run, executor, source, prepare, probe_after=True)
        preflight.gate(run, Gate.PREPARED, names, artifacts=source.view, addon_images=images)
        control = build_stage(CONTROL_PLANE, [context()], skip_phases=_skipped(run))
        _execute(run, executor, source, control)
    finally:
        producers.forget()
    ctx = context()
    _, pending = addons_ready.expected(ctx, with_workers=addons_ready.schedulable_without_workers(ctx))
    plan = Plan("init", (prepare, control))
    return InitReport(
        plan,
        sum(changes(stage) for stage in plan.stages),
        tuple(token.token for token in tokens if token.token is not None),
        tuple(f"{item.namespace}/{item.name}" for item in pending),
    )


def _execute(
    run: Run, executor: Executor, source: Source, stage: Stage, *, probe_after: bool = False
) -> None:
    source.verify(stage)
    result = executor.run(stage, probe_after=probe_after)
    run.changed += sum(result.changed.values())
    result.raise_first()


def _skipped(run: Run) -> tuple[str, ...]:
    return (*run.cluster.init_skip_phases, *run.options.skip_phases)


def _with_value(token: BootstrapToken) -> BootstrapToken:
    return token if token.token is not None else replace(token, token=bootstrap.generate())


def describe_pending(run: Run, report: InitReport) -> None:
    """Say what becomes ready only with the first worker."""
    if report.pending:
        run.bus.emit(Notice("info", f"{', '.join(report.pending)}: ready once the first worker has joined"))
