"""Carry out the stages of a plan: the only place where hosts change."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kubeadm_py.engine.boundary import HELD, Boundary, stay
from kubeadm_py.engine.compile import compile_stage
from kubeadm_py.engine.events import (
    EventBus,
    HostDone,
    HostProgress,
    HostStarted,
    Timing,
)
from kubeadm_py.engine.interrupt import Interrupt
from kubeadm_py.engine.markers import MarkerReader
from kubeadm_py.engine.parts import Outcome, Part
from kubeadm_py.engine.schedule import Schedule
from kubeadm_py.engine.session import Session, lock_lost
from kubeadm_py.engine.stage_script import OpenImages, StageScript
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths, typed
from kubeadm_py.model.actions import FileSpec, Late, LocalFile, Producer, WriteFiles
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.inventory import Inventory, settled
from kubeadm_py.model.stages import HostPlan, Stage
from kubeadm_py.transport.fanout import fan_out


@dataclass(slots=True)
class StageResult:
    """Hold how a stage ended: per host the number of changes, or the error."""

    changed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, KubeadmPyError] = field(default_factory=dict)

    def raise_first(self) -> None:
        """Raise the error of the first host that failed, if any."""
        for error in self.errors.values():
            raise error


@dataclass(slots=True)
class Executor:
    """Run stages on sessions, telling everything as events."""

    sessions: Mapping[str, Session]
    bus: EventBus
    producers: Mapping[str, Producer]
    open_images: OpenImages
    interrupt: Interrupt = field(default_factory=Interrupt)
    limit: int = 16
    timings: list[Timing] = field(default_factory=list)
    logs_command: Callable[[str, str], str] = typed.logs
    """Return what a person types to read the log of a component on a host."""
    stop_file: str = field(default_factory=lambda: f"{paths.RUN_DIR}/stop-{secrets.token_hex(8)}")
    """What tells a host to stop: this run's own, for another run may be at work on the same host."""
    boundary: Boundary | None = field(default_factory=Boundary.of_environment)

    def __post_init__(self) -> None:
        """Listen for a stop."""
        self.interrupt.on_stop(self._ask_hosts_to_stop)

    def run(self, stage: Stage, *, probe_after: bool = False) -> StageResult:
        """Run one stage on all its hosts at once; a host's failure leaves the others alone.

        `probe_after` appends a probe to each script, so that the sessions know the hosts as they are then.
        """
        busy = tuple(plan.host for plan in stage.hosts if plan.steps)
        if not busy:
            return StageResult()
        self.interrupt.check()
        part = Part(stage.id, stage.title, busy, lambda _: stage, together=True, probe_after=probe_after)
        outcome = self.schedule([part])
        errors = {host: outcome.errors[host] for host in busy if host in outcome.errors}
        return StageResult(outcome.changed, errors)

    def schedule(self, parts: Sequence[Part], outcome: Outcome | None = None) -> Outcome:
        """Run several stages, each host going on as soon as what it waits for is there.

        `outcome` is filled while they run, so that later parts may be planned from it.
        """
        return Schedule(
            self.run_host,
            parts,
            outcome if outcome is not None else Outcome(),
            bus=self.bus,
            interrupt=self.interrupt,
            limit=self.limit,
        ).run()

    def _ask_hosts_to_stop(self) -> None:
        def ask(session: Session) -> None:
            # A host that cannot be asked any more is stopped by its lost connection.
            with contextlib.suppress(KubeadmPyError, OSError):
                session.host.run(f"# stop\n: >{self.stop_file}", timeout=10)

        fan_out(self.sessions.values(), ask)

    def run_host(
        self,
        stage: str,
        plan: HostPlan,
        *,
        probe_after: bool = False,
        reached: Callable[[str], None] = lambda _: None,
    ) -> int:
        """Run one host's share of a stage and return the number of changes.

        `reached` is told what its steps provide, as soon as it is there.
        """
        session = self.sessions[plan.host]
        started = time.monotonic()
        self.bus.emit(HostStarted(stage, plan.host))
        error = ""
        reader = MarkerReader(
            self.bus, stage, plan.host, reached, lambda component: self.logs_command(component, plan.host)
        )
        try:
            self._pass(stage, plan.host, "before")
            if session.held is not None and not session.held.alive():
                raise lock_lost(plan.host)
            stay_before = self.boundary.action(stage, plan.host) if self.boundary else None
            script = self._compile(session, plan, probe_after, stay_before)
            reader.actions = script.actions
            result = session.host.run(
                f"# stage {stage}\n{script.script}",
                stdin=script.stream(),
                timeout=script.seconds,
                on_line=reader.line,
            )
            reader.check(result)
            self._pass(stage, plan.host, "after")
            if probe_after:
                session.learn(result.stdout)
        except KubeadmPyError as problem:
            problem.host = problem.host or plan.host
            error = problem.summary
            raise
        except OSError as problem:
            error = str(problem)
            raise KubeadmPyError(
                f"reading what was to be sent failed: {problem}", host=plan.host
            ) from problem
        finally:
            seconds = time.monotonic() - started
            self.timings.append(Timing(stage, plan.host, seconds))
            self.bus.emit(HostDone(stage, plan.host, seconds, reader.changed, error))
        return reader.changed

    def _pass(self, stage: str, host: str, place: str) -> None:
        if self.boundary is not None and self.boundary.is_at(stage, host, place):
            self.bus.emit(HostProgress(stage, host, HELD))
            stay()

    def _compile(
        self, session: Session, plan: HostPlan, probe_after: bool, stay_before: int | None = None
    ) -> StageScript:
        content: dict[int, bytes] = {}

        def resolve(late: Late) -> bytes:
            # One Late gives one content in a stage, however often it is asked for.
            if id(late) not in content:
                content[id(late)] = self.producers[late.producer](plan.host, late)
            return content[id(late)]

        ours = session.inventory.files
        # A run that was killed may have noted a file as somebody else's and not kept it yet.
        existing = frozenset(
            path
            for path in session.facts.files
            if not (path in ours and ours[path]["made"]) and not path.startswith(paths.STATE_DIR)
        )
        hashes = {
            spec.path: _hash(spec, resolve)
            for action in plan.actions
            if isinstance(action, WriteFiles)
            for spec in action.files
        }
        inventory = Inventory.parse(session.inventory.dump(), plan.host)
        inventory.extend(plan.actions, session.facts, hashes)
        # One that says nothing new stays as it is: a leader that only labels a node gets no file of ours.
        known = Inventory.parse(session.facts.inventory, plan.host)
        written = inventory.dump() if inventory.dump() != known.dump() else None
        session.inventory = inventory
        return compile_stage(
            plan,
            resolve,
            self.open_images,
            inventory=written,
            existing=existing,
            epilogue=session.probe if probe_after else "",
            stop_file=self.stop_file,
            stay_before=stay_before,
            run_token=session.token if session.held is not None else "",
            incoming=session.facts.incoming,
            settled=settled(written if written is not None else session.facts.inventory or b""),
        )


def _hash(spec: FileSpec, resolve: Callable[[Late], bytes]) -> str:
    if isinstance(spec.content, LocalFile):
        return spec.content.sha256
    content = resolve(spec.content) if isinstance(spec.content, Late) else spec.content
    return sha256(content)
