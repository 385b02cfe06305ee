"""Bring a whole cluster to what its file says: all hosts at once, from bare ones to a running cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from kubeadm_py.addons import load as addons
from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.parts import Outcome
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError
from kubeadm_py.model import phases as model_phases
from kubeadm_py.model import typed
from kubeadm_py.model.actions import Producer
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.stages import Plan
from kubeadm_py.pki.keys import KeyMaker, generate
from kubeadm_py.plan import phases, preflight
from kubeadm_py.plan.artifacts.remote_types import RemoteTypes
from kubeadm_py.plan.artifacts.sources import Source, open_for
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.certificates.producers import joining_producers
from kubeadm_py.plan.cluster import moving, order
from kubeadm_py.plan.cluster.gates import Gates
from kubeadm_py.plan.cluster.members import Members
from kubeadm_py.plan.cluster.order import Order
from kubeadm_py.plan.cluster.pruning import Confirm, Pruning
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.plan.workflows import CONTROL_PLANES, FINISH
from kubeadm_py.render import engine
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.prepare import text


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """Hold what an apply did."""

    plan: Plan
    changed: int
    founded: bool
    """Whether the cluster was made by this run, or finished by it."""
    joined: tuple[str, ...]
    """Workers that this run took in."""
    pending: tuple[str, ...]
    """Workloads that wait for a worker."""
    moved_to: str = ""
    """The endpoint, where it became another one in this run."""
    in_turn: tuple[str, ...] = ()
    """Hosts that change one after the other."""
    leader: str = ""
    """The control plane that writes what the cluster has once."""
    dropped: tuple[str, ...] = ()
    """Add-ons that the cluster has and the file names no more; they stay where nobody asked to prune."""
    live: LiveObjects | None = None
    """What the cluster had of our objects."""
    unreached: tuple[KubeadmPyError, ...] = ()
    """Workers that were left out, each with why it could not be reached."""
    removed: tuple[str, ...] = ()
    """Hosts that the config names no more and that this run takes out."""


def apply(run: Run, *, key_maker: KeyMaker = generate, prune: Confirm | None = None) -> ApplyReport:
    """Look at all hosts, prepare them, start the control planes together, take the workers in.

    Three round trips to a worker, four to a control plane. Hosts that are in the cluster and no
    more in the config are named; with `prune` they are taken out last. A worker that cannot be reached stops
    nobody else: the report has why. Raise PreflightRefused, RunFailedError or what stopped the run.
    """
    source = open_for(run)
    if not run.cluster.control_planes:
        raise UsageError(
            "the config has no control-plane host", fix="give one of spec.hosts the role control-plane"
        )
    # Wrong phases and add-ons are refused before any host is reached.
    phases.selection(model_phases.INIT, (), run.cluster.init_skip_phases)
    phases.selection(model_phases.JOIN, (), run.cluster.join_skip_phases)
    addons.resolve(run.cluster)
    threading.Thread(target=_preload, daemon=True).start()
    if not run.options.dry_run:
        run.bus.emit(order.stages(run))
    # No CA is ever made while a control-plane host of the file is unreached (design rule 5).
    unreached = _look(run)
    members = Members(run, source, datetime.now(UTC), key_maker)
    pruned = Pruning(run, members, prune)
    try:
        return _Apply(
            run,
            source,
            members,
            RemoteTypes(run.cluster, source.documents),
            pruned,
            Gates(members),
            unreached,
        ).through()
    finally:
        pruned.close()


def _look(run: Run) -> tuple[KubeadmPyError, ...]:
    """Look at all hosts; return why workers could not be reached, raise where the cluster needs a host."""
    try:
        run.look(run.cluster.nodes, lock=not run.options.dry_run)
    except RunFailedError as error:
        workers = {node.name for node in run.cluster.workers}
        if any(
            each.exit_code is not ExitCode.UNREACHABLE or each.host not in workers for each in error.errors
        ):
            _tell_of_removal(run, error)
            raise
        for each in error.errors:
            run.warn(f"left out of this run: {each.summary}", each.host)
        return error.errors
    return ()


def _tell_of_removal(run: Run, error: RunFailedError) -> None:
    """Say how a host that will not come back leaves the cluster, where there is one already."""
    if not any(preflight.ca_public_key(run, name) for name in run.sessions):
        return
    for each in error.errors:
        if each.exit_code is ExitCode.UNREACHABLE:
            gone = typed.command("remove", each.host, config=run.config_name)
            each.fix = f"{each.fix}\nif it is gone for good: {gone}".strip()


def _preload() -> None:
    engine.preload()
    text.preload()


def _quietly(function: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        with contextlib.suppress(Exception):
            function()

    return call


@dataclass(slots=True)
class _Apply:
    """Hold one apply's work."""

    run: Run
    source: Source
    members: Members
    types: RemoteTypes
    pruning: Pruning
    gates: Gates
    unreached: tuple[KubeadmPyError, ...] = ()

    def through(self) -> ApplyReport:
        """Do the whole apply."""
        run, members = self.run, self.members
        founding = not members.running
        # It takes as long as the gates; what it raises, whoever needs its answer raises again.
        threading.Thread(target=_quietly(members.live), daemon=True).start()
        self.pruning.find()
        if run.options.dry_run:
            self.gates.host()
            return self._report(Plan("apply", (*self._order.as_it_is_now(), *self.pruning.stages)), founding)
        try:
            if founding:
                # Keys take their time: they are made while the hosts are judged and prepared.
                members.producers.prepare()
            self.gates.host()
            self.pruning.ask()
            for session in run.sessions.values():
                session.inventory.cluster = run.cluster.name
            self.types.fetch(members.context(members.leader.name, CONTROL_PLANES))
            self.source.fetch(run.cluster, run.sessions, run.say)
            plan = self._carry_out()
            self.pruning.carry_out()
        finally:
            members.forget()
        return self._report(plan, founding)

    @property
    def _order(self) -> Order:
        return Order(self.members, self.gates)

    def _carry_out(self) -> Plan:
        run = self.run
        executor = run.executor(self._producers(), self.source.open_images)
        outcome = Outcome()
        executor.schedule(self._order.parts(outcome), outcome)
        run.changed += sum(outcome.changed.values())
        self._tell_left_out(outcome)
        errors = outcome.all_errors()
        if errors:
            raise RunFailedError([*errors, *self.unreached])
        return Plan("apply", tuple(stage for planned in outcome.stages.values() for stage in planned))

    def _producers(self) -> dict[str, Producer]:
        table = joining_producers(self.run.cluster)
        if self.members.late:
            table |= {control_plane_prepare.PRODUCER: self.members.shared_file}
        table[addon_objects.TYPES_PRODUCER] = self.types.produce
        return table | self.members.producers.table()

    def _tell_left_out(self, outcome: Outcome) -> None:
        for part, hosts in outcome.left_out.items():
            names = ", ".join(name for name in self.run.sessions if name in hosts)
            self.run.bus.emit(
                Notice("warning", f"{names}: {part} was not begun: what it needs first did not succeed")
            )

    def _report(self, plan: Plan, founding: bool) -> ApplyReport:
        leader = self.members.leader.name
        ctx = self.members.context(leader, FINISH, present=self.members.workers)
        _, pending = addons_ready.expected(ctx, with_workers=bool(self.members.workers))
        return ApplyReport(
            plan,
            plan_changes(plan),
            founding,
            self.members.joining,
            tuple(f"{item.namespace}/{item.name}" for item in pending),
            self.run.cluster.endpoint if self.members.moving else "",
            self._in_turn(),
            leader,
            tuple(self.members.dropped_addons),
            self.members.live(),
            self.unreached,
            tuple(node.name for node in self.pruning.hosts) if self.pruning.stages else (),
        )

    def _in_turn(self) -> tuple[str, ...]:
        if self.members.moving:
            return moving.hosts(self.members)
        return self.members.control_planes if self.members.running else ()
