"""Bring up the first control plane."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from kubeadm_py.addons import load as addons
from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.execute import Executor
from kubeadm_py.errors import PreflightError, UsageError
from kubeadm_py.kube.objects import LiveAddons
from kubeadm_py.model import phases as model_phases
from kubeadm_py.model.actions import Late
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.findings import Gate
from kubeadm_py.model.phases import Selection
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.stages import Plan, Stage
from kubeadm_py.pki import shared
from kubeadm_py.pki.stock import KeyStock
from kubeadm_py.plan import phases, preflight
from kubeadm_py.plan.ahead import ahead
from kubeadm_py.plan.artifacts.remote_types import RemoteTypes
from kubeadm_py.plan.artifacts.sources import Source, open_for
from kubeadm_py.plan.build import build_stage, changes, plan_changes
from kubeadm_py.plan.certificates import key_pairs, kubelet_requests
from kubeadm_py.plan.certificates.producers import Complete, ControlPlaneProducers
from kubeadm_py.plan.live import installed
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.workflows import CONTROL_PLANE, CONTROL_PLANES, PREPARE, READY, StageDefinition
from kubeadm_py.render import engine
from kubeadm_py.steps import applied
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.certificates import upload_certs
from kubeadm_py.steps.kubelet import serving as kubelet_serving
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.objects import groups as object_groups
from kubeadm_py.token import bootstrap


@dataclass(frozen=True, slots=True)
class InitReport:
    """Hold what an init did: its plan, how much of it changed something, what still waits for a worker."""

    plan: Plan
    changed: int
    tokens: tuple[Secret, ...]
    pending: tuple[str, ...]
    certificate_key: Secret | None = None
    """What the shared keys were uploaded with, where they were."""


KEYS_OF_A_CONTROL_PLANE = 16
"""Authorities, certificates, kubeconfigs and the service account key of a control plane with its own etcd."""


def init(run: Run, *, complete: Complete | None = None) -> InitReport:
    """Look, prepare, start the control plane, write the cluster's objects, wait until it works.

    Three round trips to the host. With `options.dry_run` nothing is written anywhere. Raise
    PreflightRefused, RunFailedError or what stopped the run.
    """
    source = open_for(run)
    if not run.cluster.control_planes:
        raise UsageError(
            "the config has no control-plane host", fix="give one of spec.hosts the role control-plane"
        )
    if run.cluster.etcd_hosts and not run.options.only_phases:
        raise UsageError(
            "init brings up one control plane, and the config has hosts of role etcd",
            fix=f"kubeadm-py apply --config {run.config_name or 'FILE'}     (etcd first)",
        )
    # Wrong phases and add-ons are refused before any host is reached.
    options = run.options
    chosen = phases.selection(
        model_phases.INIT, options.only_phases, run.cluster.init_skip_phases, options.skip_phases
    )
    phases.refuse_idle("init", model_phases.INIT, chosen, CONTROL_PLANE)
    run.use(replace(run.cluster, init_skip_phases=chosen.skipped))
    addons.resolve(run.cluster)
    alone = bool(chosen.only)
    wanted = 0 if options.dry_run or alone else KEYS_OF_A_CONTROL_PLANE
    threading.Thread(target=engine.preload, daemon=True).start()
    keys = KeyStock(run.cluster.key_algorithm, wanted)
    try:
        if not options.dry_run:
            run.bus.emit(ahead(*([] if alone else [PREPARE]), CONTROL_PLANE))
        # No CA is ever made while a control-plane host of the file is unreached (design rule 5).
        run.look(run.cluster.control_planes, lock=not options.dry_run)
        if complete is not None:
            facts = {name: session.facts for name, session in run.sessions.items()}
            run.use(complete(run.cluster, facts))
        work = _Init(run, source, keys, datetime.now(UTC), chosen)
        return work.phases_alone() if alone else work.through()
    finally:
        keys.close()


def objects(run: Run, *, complete: Complete | None = None) -> list[Mapping[str, Any]]:
    """Return the API objects of the phases that were asked for; the host is looked at, nothing is done."""
    chosen = phases.selection(model_phases.INIT, run.options.only_phases)
    source = open_for(run)
    run.look(run.cluster.control_planes[:1], lock=False)
    if complete is not None:
        run.use(complete(run.cluster, {name: session.facts for name, session in run.sessions.items()}))
    keys = KeyStock(run.cluster.encryption_algorithm, 0)
    try:
        return _Init(run, source, keys, datetime.now(UTC), chosen).objects()
    finally:
        keys.close()


class _Init:
    """Hold one init's work on the first control plane."""

    def __init__(self, run: Run, source: Source, keys: KeyStock, now: datetime, chosen: Selection) -> None:
        self.run = run
        self.source = source
        self.now = now
        self.addons = tuple(addons.resolve(run.cluster))
        self.tokens = tuple(_with_value(token) for token in run.cluster.bootstrap_tokens)
        run.use(replace(run.cluster, bootstrap_tokens=self.tokens))
        self.upload_key = None
        if run.options.upload_certs:
            self.upload_key = run.cluster.certificate_key or shared.generate_key()
        self.session = run.sessions[run.cluster.control_planes[0].name]
        self.phases = chosen
        self.producers = ControlPlaneProducers(run.cluster, self.session, now, keys, chosen)
        self.types = RemoteTypes(run.cluster, source.documents)

    def _refuse_a_second_cluster(self) -> None:
        """Make no authorities beside those that another control plane of the file has (design rule 5)."""
        if self.session.facts.ca_public_key_sha256:
            return
        for name, session in self.run.sessions.items():
            if session.facts.ca_public_key_sha256:
                first, config = self.session.name, self.run.config_name
                raise PreflightError(
                    f"{name} has the CA of a cluster and {first} has none: init would found a second cluster",
                    host=name,
                    fix=f"take {first} in: kubeadm-py join --config {config} --host {first}"
                    f"     or start over on {name}: kubeadm-py reset --config {config} --host {name}",
                )

    def through(self) -> InitReport:
        """Do the whole init."""
        run = self.run
        self._refuse_a_second_cluster()
        installed.tell(run, self.addons)
        installed.refuse_another_network(self._live_addons, self.addons)
        self._gate(Gate.HOST)
        self.session.inventory.cluster = run.cluster.name
        if run.options.dry_run:
            return self._report(Plan("init", (self._stage(PREPARE), self._stage(CONTROL_PLANE))))
        self.types.fetch(self._context())
        self.source.fetch(run.cluster, run.sessions, run.say)
        executor = self._executor()
        try:
            self.producers.prepare()
            prepare = self._stage(PREPARE)
            self._execute(executor, prepare, probe_after=True)
            self._gate(Gate.PREPARED)
            stages = [prepare, *self._bring_up(executor)]
        finally:
            self.producers.forget()
        return self._report(Plan("init", tuple(stages)))

    def _bring_up(self, executor: Executor) -> list[Stage]:
        """Start the control plane and wait for what it can run; return the stages."""
        cluster, session = self.run.cluster, self.session
        if not kubelet_serving.asks_the_cluster(cluster) or not kubelet_requests.is_new(cluster, session):
            control = self._stage(CONTROL_PLANE)
            self._execute(executor, control)
            return [control]
        control = self._stage(CONTROL_PLANES)
        self._execute(executor, control)
        # What uses kubelets' certificates is ready only once this kubelet's was judged.
        approved = kubelet_requests.awaited(self.run, session.host, [session.name], cluster=cluster)
        ready = build_stage(READY, [replace(self._context(), approved=approved)])
        self._execute(executor, ready)
        return [control, ready]

    def phases_alone(self) -> InitReport:
        """Do the phases that were asked for and nothing else, with what the host has."""
        if self.phases.wants(model_phases.PREFLIGHT):
            self._gate(Gate.HOST)
            self._gate(Gate.PREPARED)
        chosen = [item for item in self.addons if self.phases.wants(object_groups.addon_phase(item.name))]
        if chosen:
            installed.tell(self.run, chosen)
            installed.refuse_another_network(self._live_addons, chosen)
        self.session.inventory.cluster = self.run.cluster.name
        control = self._stage(CONTROL_PLANE)
        plan = Plan("init", (control,))
        if not self.run.options.dry_run and not control.empty:
            self.types.fetch(self._context())
            try:
                self._execute(self._executor(), control)
            finally:
                self.producers.forget()
        return InitReport(plan, changes(control), self._tokens_made(), (), self._uploaded_with())

    def objects(self) -> list[Mapping[str, Any]]:
        """Return the objects of the phases, with what only the cluster knows as it would be at first."""
        found = [item for group in object_groups.of_phases(self._context()) for item in group.objects]
        return [item.args if isinstance(item, Late) else item for item in found]

    def _executor(self) -> Executor:
        return self.run.executor(
            self.producers.table() | {addon_objects.TYPES_PRODUCER: self.types.produce},
            self.source.open_images,
        )

    @cached_property
    def _live_addons(self) -> LiveAddons | None:
        """Return what the cluster says of its add-ons, where it is there already."""
        known = applied.same_cluster(self._bare_context())
        return installed.ask(self.run.cluster, self.session, self.addons) if known else None

    def _context(self) -> StepContext:
        live = self._live_addons
        ctx = self._bare_context()
        return replace(ctx, installed=live.installed, missing=live.missing) if live else ctx

    def _bare_context(self) -> StepContext:
        return StepContext(
            self.run.cluster,
            self.session.node,
            self.session.facts,
            "init",
            self.now,
            recorded=self.session.inventory.files,
            all_facts={name: other.facts for name, other in self.run.sessions.items()},
            artifacts=self.source.view,
            addons=self.addons,
            key_pairs=self._key_pairs,
            phases=self.phases,
            kubeconfig=self.run.options.kubeconfig,
            upload_key=self.upload_key,
        )

    @cached_property
    def _key_pairs(self) -> dict[str, bool]:
        return key_pairs.look(self.run.cluster, self.session)

    def _stage(self, definition: StageDefinition) -> Stage:
        return build_stage(definition, [self._context()])

    def _gate(self, which: Gate) -> None:
        if not self.phases.wants(model_phases.PREFLIGHT):
            return
        preflight.gate(
            self.run,
            which,
            [self.session.name],
            artifacts=self.source.view,
            addon_images=addons.images(self.addons, self.run.cluster),
        )

    def _execute(self, executor: Executor, stage: Stage, *, probe_after: bool = False) -> None:
        self.source.verify(stage)
        result = executor.run(stage, probe_after=probe_after)
        self.run.changed += sum(result.changed.values())
        result.raise_first()

    def _report(self, plan: Plan) -> InitReport:
        ctx = self._context()
        with_workers = addons_ready.schedulable_without_workers(ctx)
        _, pending = addons_ready.expected(ctx, with_workers=with_workers)
        return InitReport(
            plan,
            plan_changes(plan),
            self._tokens_made(),
            tuple(f"{item.namespace}/{item.name}" for item in pending),
            self._uploaded_with(),
        )

    def _uploaded_with(self) -> Secret | None:
        return self.upload_key if self.phases.wants(upload_certs.PHASE) else None

    def _tokens_made(self) -> tuple[Secret, ...]:
        return tuple(token.token for token in self.tokens if token.token is not None)


def _with_value(token: BootstrapToken) -> BootstrapToken:
    if token.token is not None:
        return token
    description = token.description or bootstrap.DEFAULT_DESCRIPTION
    return replace(token, token=bootstrap.generate(), description=description)


def describe_pending(run: Run, report: InitReport) -> None:
    """Say what becomes ready only with the first worker."""
    if report.pending:
        run.bus.emit(Notice("info", f"{', '.join(report.pending)}: ready once the first worker has joined"))
