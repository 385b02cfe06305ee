"""Hold what every verb needs while it runs: sessions, the executor, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from kubeadm_py.engine.events import (
    Cause,
    EventBus,
    Failed,
    Found,
    HostDone,
    HostStarted,
    Notice,
    RunDone,
    RunHost,
    RunStarted,
    StageDone,
    StageStarted,
    Timing,
)
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.interrupt import Interrupt, stopped
from kubeadm_py.engine.session import Session, open_session, operator
from kubeadm_py.engine.stage_script import OpenImages
from kubeadm_py.errors import (
    ExitCode,
    KubeadmPyError,
    LockedError,
    system_errors_told,
    worst,
)
from kubeadm_py.facts.collect import probe_of
from kubeadm_py.model import typed
from kubeadm_py.model.actions import Producer
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.findings import Finding, Severity
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.words import plural
from kubeadm_py.preflight import run as preflight
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.fanout import Outcome, fan_out

Connect = Callable[[Node], Host]
CONTEND_SECONDS = 5.0
"""How long the run that holds the first host waits for those that another one is about to free."""
_CONTEND_EVERY_SECONDS = 0.3
STOPPING = "stopping: nothing new is begun, what runs on hosts may end; Ctrl-C again leaves at once"


class RunFailedError(KubeadmPyError):
    """Carry the errors of several hosts; the exit code is that of the gravest."""

    def __init__(self, errors: Sequence[KubeadmPyError]) -> None:
        self.errors = tuple(preflight.together(errors))
        first = self.errors[0]
        super().__init__(first.summary, host=first.host, details=first.details, fix=first.fix)
        self.exit_code = worst([error.exit_code for error in self.errors])


@dataclass(frozen=True, slots=True)
class Options:
    """Hold the flags that verbs share."""

    ignore_preflight_errors: frozenset[str] = frozenset()
    skip_phases: tuple[str, ...] = ()
    dry_run: bool = False
    only_phases: tuple[str, ...] = ()
    """Run just these: `init phase NAME`."""
    kubeconfig: str = ""
    """The kubeconfig on the host for talking to the cluster; empty chooses."""
    upload_certs: bool = False
    """Whether init uploads what control planes share."""
    prune: bool = False
    """Whether apply takes add-ons out of the cluster that the file names no more."""


@dataclass(slots=True)
class Run:
    """Hold one run of a verb."""

    verb: str
    cluster: ResolvedCluster
    bus: EventBus
    connect: Connect
    options: Options = field(default_factory=Options)
    interrupt: Interrupt = field(default_factory=Interrupt)
    sessions: dict[str, Session] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)
    changed: int = 0
    config_name: str = ""
    """The config as the operator named it, for what to type next."""

    @property
    def operator(self) -> str:
        """Return who runs this, as USER@MACHINE."""
        return operator()

    def look(
        self,
        nodes: Iterable[Node],
        *,
        lock: bool = True,
        parts: Sequence[str] = (),
        meanwhile: Callable[[], object] = lambda: None,
        also: Callable[[Node], str] = lambda _: "",
    ) -> None:
        """Reach, lock and probe hosts, all at once; raise RunFailedError that names every one that failed.

        Of the probe only `parts` are asked, by default all. `meanwhile` is called while they answer. What
        the script `also` prints on a host is in its session's `output`; it needs a look without a lock.
        """
        targets = [node for node in nodes if node.name not in self.sessions]
        if not targets:
            return
        self.interrupt.check()
        started = time.monotonic()
        self.bus.emit(StageStarted("look", "reach and probe", tuple(node.name for node in targets)))

        def look_at(node: Node) -> Session:
            return self._look_at(node, lock=lock, parts=parts, also=also(node))

        outcomes = fan_out(targets, look_at, meanwhile=meanwhile)
        self._contend(targets, outcomes, look_at)
        errors = []
        for name, outcome in outcomes.items():
            if isinstance(outcome.error, KubeadmPyError):
                outcome.error.host = outcome.error.host or name
                errors.append(outcome.error)
            elif outcome.error is not None:
                raise outcome.error
            elif outcome.value is not None:
                self.sessions[name] = outcome.value
        summary = "" if errors else f"{plural(len(targets), 'host')} reached"
        self.bus.emit(StageDone("look", time.monotonic() - started, ok=not errors, summary=summary))
        if errors:
            raise RunFailedError(errors)

    def _contend(
        self,
        targets: Sequence[Node],
        outcomes: dict[str, Outcome[Session]],
        look_at: Callable[[Node], Session],
    ) -> None:
        """Try again for hosts that another run has taken, where this run holds the first of its own.

        Of runs that began in the same moment each may hold some of the hosts. The one that holds the first by
        name, control planes before others, goes on: who does not hold it ends at once and frees what it took.
        """
        first = min(targets, key=lambda node: (node.role is not Role.CONTROL_PLANE, node.name))
        deadline = time.monotonic() + CONTEND_SECONDS
        while outcomes[first.name].ok and time.monotonic() < deadline:
            locked = [node for node in targets if isinstance(outcomes[node.name].error, LockedError)]
            if not locked or self.interrupt.asked:
                return
            time.sleep(_CONTEND_EVERY_SECONDS)
            outcomes.update(fan_out(locked, look_at))

    def _look_at(self, node: Node, *, lock: bool, parts: Sequence[str], also: str) -> Session:
        started = time.monotonic()
        self.bus.emit(HostStarted("look", node.name))
        error = ""
        host = self.connect(node)
        try:
            probe = probe_of(self.cluster, node, parts)
            with system_errors_told():
                session = open_session(node, host, probe + also, verb=self.verb, lock=lock)
        except KubeadmPyError as problem:
            error = problem.summary
            host.close()
            raise
        else:
            if session.under_way:
                told = f"a run is under way: {session.under_way}; what is found here may change"
                self.warn(told, node.name)
            return session
        finally:
            seconds = time.monotonic() - started
            self.timings.append(Timing("look", node.name, seconds))
            self.bus.emit(HostDone("look", node.name, seconds, 0, error))

    def executor(self, producers: Mapping[str, Producer], open_images: OpenImages) -> Executor:
        """Return what carries stages out on the hosts of this run."""
        return Executor(
            self.sessions,
            self.bus,
            producers,
            open_images,
            self.interrupt,
            timings=self.timings,
            logs_command=self.logs_command,
        )

    def logs_command(self, component: str, name: str) -> str:
        """Return what the operator of this run types to read the log of a component on a host."""
        return typed.at(self.cluster, self.sessions[name].node, "logs", component)

    def say(self, text: str) -> None:
        """Tell something that is worth knowing and belongs to no host."""
        self.bus.emit(Notice("info", text))

    def warn(self, text: str, host: str = "", fix: str = "") -> None:
        """Tell what stops nothing and should not go unseen."""
        self.bus.emit(Notice("warning", text, host, fix))

    def report_findings(self, findings: Sequence[Finding]) -> None:
        """Tell every finding that does not stop the run."""
        for finding in findings:
            if finding.severity is not Severity.ERROR:
                self.bus.emit(Found.of(finding))

    def use(self, cluster: ResolvedCluster) -> None:
        """Go on with a cluster that knows more; its nodes are the same, in the same order, maybe renamed."""
        renamed = {old.name: new for old, new in zip(self.cluster.nodes, cluster.nodes, strict=True)}
        self.cluster = cluster
        for session in self.sessions.values():
            session.node = renamed[session.name]
        self.sessions = {session.name: session for session in self.sessions.values()}
        # In place: the executor adds to the same list.
        self.timings[:] = [
            replace(each, host=renamed[each.host].name) if each.host in renamed else each
            for each in self.timings
        ]

    def close(self) -> None:
        """Free all locks and connections."""
        fan_out(self.sessions.values(), lambda session: session.close())
        self.sessions.clear()


@contextmanager
def running(run: Run, *, hosts: Sequence[Node], source: str = "") -> Iterator[RunEnd]:
    """Frame a verb: its first and last event, Ctrl-C, locks freed whatever happens.

    The body sets the verdict and what to type next on the yielded end; errors become events here and go on
    to the caller, which turns them into the exit code.
    """
    started = time.monotonic()
    version = str(run.cluster.kubernetes_version)
    named = tuple(RunHost(node.name, node.role.value) for node in hosts)
    run.bus.emit(RunStarted(run.verb, run.cluster.name, version, named, source))
    end = RunEnd()
    run.interrupt.on_stop(lambda: run.bus.emit(Notice("warning", STOPPING)))
    try:
        with run.interrupt.handling(), system_errors_told():
            yield end
    except KubeadmPyError as error:
        errors = error.errors if isinstance(error, RunFailedError) else (error,)
        code = error.exit_code
        if run.interrupt.asked and code is not ExitCode.INTERRUPTED:
            # What failed on the way out is told too, but it is not why the run ended.
            errors = (stopped(), *errors)
            code = ExitCode.INTERRUPTED
        for each in errors:
            run.bus.emit(Failed.of(each))
        causes = tuple(Cause(int(each.exit_code), each.host, each.summary) for each in errors)
        how = "was stopped by Ctrl-C" if code is ExitCode.INTERRUPTED else "failed"
        end = RunEnd(f"{run.verb} {how}", (), code, causes)
        error.told = True
        error.exit_code = code
        raise
    except Exception as error:
        cause = Cause(int(ExitCode.FAILED), "", f"{type(error).__name__}: {error}")
        end = RunEnd(f"{run.verb} failed", (), ExitCode.FAILED, (cause,))
        raise
    finally:
        run.close()
        run.bus.emit(
            RunDone(
                end.verdict or f"{run.verb} ended",
                int(end.exit_code),
                time.monotonic() - started,
                run.changed,
                tuple(node.name for node in hosts),
                end.next,
                tuple(run.timings),
                end.causes,
            )
        )


@dataclass(slots=True)
class RunEnd:
    """Hold what a run says at its end."""

    verdict: str = ""
    next: tuple[str, ...] = ()
    exit_code: ExitCode = ExitCode.DONE
    causes: tuple[Cause, ...] = ()
