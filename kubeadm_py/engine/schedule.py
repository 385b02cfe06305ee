"""Run stages over many hosts at once, each host going on as soon as what it waits for is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubeadm_py.engine.events import EventBus, HostDone, StageDone, StageStarted
from kubeadm_py.engine.interrupt import Interrupt, stopped
from kubeadm_py.engine.parts import Outcome, Part
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.stages import HostPlan

_LOOK_SECONDS = 0.5
"""How often a host that waits looks whether it was stopped."""


@dataclass(slots=True)
class _Progress:
    """Hold how far a part is."""

    arrived: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    well: set[str] = field(default_factory=set)
    plans: dict[str, HostPlan] = field(default_factory=dict)
    busy: tuple[str, ...] | None = None
    """Hosts with work to do, once it is known of all of them."""
    in_turn: bool = False
    idle: list[str] = field(default_factory=list)
    began: float = 0.0
    changed: int = 0
    failed: bool = False
    turning: set[str] = field(default_factory=set)
    """Hosts with guarded plans that are at work."""
    refused: KubeadmPyError | None = None
    """Why it could not be planned: all its hosts end with this one error."""


class RunHost(Protocol):
    """Carry out plans on hosts."""

    def __call__(
        self, stage: str, plan: HostPlan, *, probe_after: bool, reached: Callable[[str], None]
    ) -> int:
        """Run one host's share of a stage and return the number of changes.

        `reached` hears what its steps provide.
        """


class Schedule:
    """Run parts on their hosts, a thread a host; at most `limit` hosts are at work at once."""

    def __init__(
        self,
        run_host: RunHost,
        parts: Sequence[Part],
        outcome: Outcome,
        *,
        bus: EventBus,
        interrupt: Interrupt,
        limit: int,
    ) -> None:
        self._run_host = run_host
        self._bus = bus
        self._interrupt = interrupt
        self._parts = parts
        self._progress = {part.id: _Progress() for part in parts}
        self._changed = threading.Condition(threading.RLock())
        self._planning = {part.id: threading.Lock() for part in parts}
        self._slots = threading.Semaphore(limit)
        self._reached: set[str] = set()
        self._gone: set[str] = set()
        self._outcome = outcome
        self._stopped = stopped()

    def run(self) -> Outcome:
        """Run all parts to their end."""
        hosts = list(dict.fromkeys(host for part in self._parts for host in part.hosts))
        threads = [threading.Thread(target=self._walk, args=(host,), daemon=True) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                # With a timeout, so that a signal is seen everywhere.
                thread.join(_LOOK_SECONDS)
        return self._outcome

    def _walk(self, host: str) -> None:
        """Take one host through its parts."""
        for part in self._parts:
            if host not in part.hosts:
                continue
            try:
                if not self._wait(part, host):
                    with self._changed:
                        self._outcome.left_out.setdefault(part.id, []).append(host)
                    self._drop(host)
                    return
                changed = self._take(part, host)
            except KubeadmPyError as error:
                self._fail(part, host, error)
                return
            except Exception as fault:
                # A fault of ours on one host must not hide what came of the others.
                ours = KubeadmPyError(
                    f"a fault in kubeadm-py itself: {type(fault).__name__}: {fault}",
                    host=host,
                    fix="please report this as a bug; what is done on this host stays, a rerun goes on",
                )
                self._fail(part, host, ours)
                return
            with self._changed:
                self._outcome.changed[host] = self._outcome.changed.get(host, 0) + changed
                self._progress[part.id].changed += changed
                self._progress[part.id].well.add(host)
                self._end(part, host)

    def _wait(self, part: Part, host: str) -> bool:
        """Wait until a host may begin a part; say False where it never may."""
        with self._changed:
            self._progress[part.id].arrived.add(host)
            self._changed.notify_all()
            while True:
                if self._interrupt.asked:
                    raise self._stopped
                if self._lost(part):
                    return False
                if self._ready(part):
                    return True
                self._changed.wait(_LOOK_SECONDS)

    def _lost(self, part: Part) -> bool:
        """Say whether what a part waits for cannot come any more."""
        if part.together and self._gone & set(part.hosts) - self._progress[part.id].arrived:
            return True
        return any(need not in self._reached and not self._possible(need) for need in part.needs)

    def _possible(self, need: str) -> bool:
        return any(
            need in part.provides and self._progress[part.id].ended < set(part.hosts) for part in self._parts
        )

    def _ready(self, part: Part) -> bool:
        if part.together and self._progress[part.id].arrived < set(part.hosts):
            return False
        hosts = {each.id: set(each.hosts) for each in self._parts}
        return self._reached.issuperset(part.needs) and all(
            self._progress[each].ended >= hosts[each] for each in part.after
        )

    def _take(self, part: Part, host: str) -> int:
        """Plan and run a part on one host; return the number of changes."""
        plan = self._plan(part, host)
        progress = self._progress[part.id]
        if progress.in_turn:
            self._wait_for_turn(part, host)
        if not plan.steps:
            self._idle(part, host)
            return 0
        if plan.guarded:
            self._take_turn(part, host)
        with self._slots:
            self._interrupt.check()
            self._begin(part)
            probe = part.probe_after and plan.unforeseen
            return self._run_host(part.id, plan, probe_after=probe, reached=self._reach)

    def _plan(self, part: Part, host: str) -> HostPlan:
        progress = self._progress[part.id]
        with self._planning[part.id]:
            if host in progress.plans:
                return progress.plans[host]
            if progress.refused is not None:
                raise progress.refused
            try:
                stage = part.plan(part.hosts if part.together else (host,))
            except KubeadmPyError as error:
                progress.refused = error if part.together else None
                raise
            progress.plans |= {plan.host: plan for plan in stage.hosts}
            self._outcome.stages.setdefault(part.id, []).append(stage)
            if part.together:
                progress.busy = tuple(plan.host for plan in stage.hosts if plan.steps)
                progress.in_turn = part.in_turn(stage)
            planned = {step.provides for plan in stage.hosts for step in plan.steps}
            for name in part.provides:
                if name not in planned:
                    self._reach(name)
            return progress.plans.setdefault(host, HostPlan(host, ()))

    def _wait_for_turn(self, part: Part, host: str) -> None:
        before = part.hosts[: part.hosts.index(host)]
        with self._changed:
            while not self._progress[part.id].well.issuperset(before):
                if self._interrupt.asked:
                    raise self._stopped
                if self._gone & set(before):
                    raise _NotItsTurnError("another host failed before it")
                self._changed.wait(_LOOK_SECONDS)

    def _take_turn(self, part: Part, host: str) -> None:
        """Wait until a host where something that works is changed may begin: first one, then a few at a time.

        Once it did not work on one, no other begins.
        """
        progress = self._progress[part.id]
        with self._changed:
            while True:
                if self._interrupt.asked:
                    raise self._stopped
                if progress.failed or any(self._failed(each) for each in part.after):
                    raise _NotItsTurnError("another host failed before it")
                proven = any(progress.plans[each].guarded for each in progress.well if each in progress.plans)
                if len(progress.turning - progress.ended) < (part.at_once if proven else 1):
                    progress.turning.add(host)
                    return
                self._changed.wait(_LOOK_SECONDS)

    def _failed(self, part: str) -> bool:
        return self._progress[part].failed or part in self._outcome.left_out

    def _idle(self, part: Part, host: str) -> None:
        progress = self._progress[part.id]
        with self._changed:
            if progress.busy is not None and host not in progress.busy:
                return
            if progress.began:
                self._bus.emit(HostDone(part.id, host, 0.0))
            else:
                progress.idle.append(host)

    def _begin(self, part: Part) -> None:
        """Tell that a stage begins, with its first host that has anything to do."""
        progress = self._progress[part.id]
        with self._changed:
            if progress.began:
                return
            progress.began = time.monotonic()
            hosts = part.hosts if progress.busy is None else progress.busy
            present = tuple(host for host in hosts if host not in self._gone)
            self._bus.emit(StageStarted(part.id, part.title, present))
            for host in progress.idle:
                self._bus.emit(HostDone(part.id, host, 0.0))

    def _fail(self, part: Part, host: str, error: KubeadmPyError) -> None:
        with self._changed:
            self._progress[part.id].failed = True
            if isinstance(error, _NotItsTurnError):
                self._outcome.left_out.setdefault(part.id, []).append(host)
            else:
                self._outcome.errors[host] = error
        self._drop(host)

    def _drop(self, host: str) -> None:
        """End a host's way here: whoever waits for it must know."""
        with self._changed:
            self._gone.add(host)
            for part in self._parts:
                if host in part.hosts and host not in self._progress[part.id].ended:
                    self._end(part, host)

    def _end(self, part: Part, host: str) -> None:
        progress = self._progress[part.id]
        progress.ended.add(host)
        if progress.began and progress.ended >= set(part.hosts):
            seconds = time.monotonic() - progress.began
            self._bus.emit(StageDone(part.id, seconds, progress.changed, ok=not progress.failed))
        self._changed.notify_all()

    def _reach(self, name: str) -> None:
        with self._changed:
            self._reached.add(name)
            self._changed.notify_all()


class _NotItsTurnError(KubeadmPyError):
    """Keep a host from its turn after another has failed."""
