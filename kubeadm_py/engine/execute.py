"""Carry out the stages of a plan: the only place where hosts change."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubeadm_py.engine.boundary import HELD, Boundary, stay
from kubeadm_py.engine.compile import CompiledAction, StageScript, compile_stage
from kubeadm_py.engine.events import (
    ActionDone,
    EventBus,
    HostDone,
    HostProgress,
    HostStarted,
    Notice,
    Timing,
)
from kubeadm_py.engine.interrupt import Interrupt, InterruptedRunError
from kubeadm_py.engine.schedule import Outcome, Part, Schedule
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, LockedError, UnreachableError, WaitTimeoutError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, ImportImages, Late, LocalFile, WriteFiles
from kubeadm_py.model.inventory import Inventory, settled
from kubeadm_py.model.stages import HostPlan, Stage
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fanout import fan_out

_MARK = "##kubeadm-py "
_WAIT_OUT_OF_TIME = 9
_WAIT_HOPELESS = 10
_STOPPED = 130

Producer = Callable[[str, Late], bytes]
"""Make the content of a Late for the host of that name."""


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
    open_images: Callable[[ImportImages], tuple[int, Iterable[bytes]]]
    interrupt: Interrupt = field(default_factory=Interrupt)
    limit: int = 16
    timings: list[Timing] = field(default_factory=list)
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
        return Schedule(self, parts, outcome if outcome is not None else Outcome(), limit=self.limit).run()

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
        reader = _MarkerReader(self.bus, stage, plan.host, reached)
        try:
            if session.held is not None and not session.held.alive():
                raise UnreachableError("the connection that holds this host's lock was lost")
            self._pass(stage, plan.host, "before")
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
        actions = [action for step in plan.steps for action in step.actions]
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
            for action in actions
            if isinstance(action, WriteFiles)
            for spec in action.files
        }
        inventory = Inventory.parse(session.inventory.dump(), plan.host)
        inventory.extend(actions, session.facts, hashes)
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
            settled=settled(written if written is not None else session.facts.inventory or b""),
        )


def _hash(spec: FileSpec, resolve: Callable[[Late], bytes]) -> str:
    if isinstance(spec.content, LocalFile):
        return spec.content.sha256
    content = resolve(spec.content) if isinstance(spec.content, Late) else spec.content
    return hashlib.sha256(content).hexdigest()


class RolledBackError(KubeadmPyError):
    """Report a host on which a change did not work and was taken back."""


class _MarkerReader:
    """Turn a stage script's marker lines into events, and its failure into an error."""

    def __init__(self, bus: EventBus, stage: str, host: str, reached: Callable[[str], None]) -> None:
        self._bus, self._stage, self._host, self._reached = bus, stage, host, reached
        self.actions: list[CompiledAction] = []
        self.changed = 0
        self._begun = time.monotonic()
        self._failed: tuple[int, int] | None = None
        self._output: list[str] = []
        self._note = ""
        self._stopped_before: int | None = None
        self._busy = False
        self._put_back = False
        """Whether a stage that failed has put everything back."""
        self._recovery: list[str] | None = None
        """What putting back said, once it has begun."""

    def line(self, text: str) -> None:
        if not text.startswith(_MARK):
            return
        word, _, rest = text[len(_MARK) :].partition(" ")
        # What names no action of this stage is no marker of ours, whoever wrote it.
        with contextlib.suppress(ValueError):
            self._take(word, rest)

    def _take(self, word: str, rest: str) -> None:
        if word == "begin":
            title = self.actions[self._index(rest)].title
            self._begun = time.monotonic()
            self._note = ""
            self._bus.emit(HostProgress(self._stage, self._host, title))
        elif word == "done":
            index, _, how = rest.partition(" ")
            self._done(self.actions[self._index(index)], changed=how == "changed")
        elif word == "note":
            self._note = rest
            self._bus.emit(HostProgress(self._stage, self._host, rest))
        elif word == "warning":
            self._bus.emit(Notice("warning", rest, self._host))
        elif word == "failed":
            index, _, code = rest.partition(" ")
            self._failed = self._index(index), int(code)
        elif word == "output":
            (self._output if self._recovery is None else self._recovery).append(rest)
        elif word == "rolling-back":
            self._recovery = []
            self._bus.emit(HostProgress(self._stage, self._host, "it failed: putting back what was there"))
        elif word == "rolled-back":
            self._put_back = True
        elif word == "stopped":
            self._stopped_before = self._index(rest)
        elif word == "busy":
            self._busy = True
        elif word == "held":
            self._bus.emit(HostProgress(self._stage, self._host, HELD))

    def _index(self, text: str) -> int:
        """Read the index of an action; raise ValueError where the stage has none of it."""
        index = int(text)
        if index not in range(len(self.actions)):
            raise ValueError(text)
        return index

    def _done(self, action: CompiledAction, *, changed: bool) -> None:
        self.changed += changed
        seconds = time.monotonic() - self._begun
        self._bus.emit(
            ActionDone(self._stage, self._host, action.kind, action.title, changed, action.reason, seconds)
        )
        if action.provides:
            self._reached(action.provides)

    def check(self, result: Result) -> None:
        """Raise what stopped the stage, if anything did."""
        if self._busy:
            raise LockedError(
                "an earlier run's stage is still at work on this host after 5 minutes",
                host=self._host,
                fix=f"look what it does: fuser -v {paths.STAGE_LOCK}",
            )
        if self._stopped_before is not None:
            raise self._interrupted(self._stopped_before)
        if self._failed is None:
            if not result.ok:
                raise KubeadmPyError(
                    f"stage {self._stage}: the script ended with code {result.exit_code}",
                    host=self._host,
                    details=_tail(result),
                    fix="run the command again: it goes on where it stopped",
                )
            return
        index, code = self._failed
        action = self.actions[index]
        output = tuple(line for line in self._output if line.strip())
        if self._recovery is not None:
            raise self._rolled_back(action, code, output)
        if code == _STOPPED:
            raise self._interrupted(index)
        if code == _WAIT_HOPELESS and action.is_wait:
            why, *details = output or ("it cannot succeed any more",)
            raise KubeadmPyError(f"{action.title}: {why}", host=self._host, details=details, fix=action.look)
        if code == _WAIT_OUT_OF_TIME and action.is_wait:
            why = f"; {self._note}" if self._note else ""
            raise WaitTimeoutError(
                f"{action.title}: not within its time{why}", host=self._host, details=output, fix=action.look
            )
        raise KubeadmPyError(
            f"{action.title} failed (exit code {code})",
            host=self._host,
            details=output[-20:],
            fix=action.look or "run the command again once the cause is mended: it goes on where it stopped",
        )

    def _rolled_back(self, action: CompiledAction, code: int, output: tuple[str, ...]) -> RolledBackError:
        """Return what is told of a host that a guard has put back, or could not."""
        why, *details = output or (f"exit code {code}",)
        if action.is_wait and code == _WAIT_OUT_OF_TIME:
            why = f"not within its time; {self._note or why}"
        recovery = [line for line in self._recovery or () if line.strip()]
        if self._put_back:
            now = f"{self._host} is as before: what was there is put back, and it works again"
            fix = "correct the config and run the same command again"
        else:
            now = f"{self._host} is NOT as before: putting back what was there failed"
            fix = f"mend it, then run the same command again; what was there lies in {paths.KEPT_DIR}"
        look = f"look: {action.look}     " if action.look else ""
        return RolledBackError(
            f"{action.title}: {why}",
            host=self._host,
            details=[*details, now, *recovery[-10:]],
            fix=look + fix,
        )

    def _interrupted(self, index: int) -> InterruptedRunError:
        return InterruptedRunError(
            f"stopped by Ctrl-C; {index} of {len(self.actions)} actions of stage {self._stage} are done",
            host=self._host,
            details=[f"not done or not finished: {self.actions[index].title}"],
            fix="run the same command again: it goes on where it stopped",
        )


def _tail(result: Result) -> list[str]:
    text = result.stderr or b"\n".join(
        line for line in result.stdout.splitlines() if not line.startswith(_MARK.encode())
    )
    return [line[:500] for line in text.decode(errors="replace").splitlines()[-10:]]
