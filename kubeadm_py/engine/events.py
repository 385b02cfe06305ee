"""Say what happens in a run, one frozen event at a time; reporters and logs subscribe.

Every event's JSON is one object: `type` (the class's `type`), `time` (Unix seconds, a float) and the
event's own fields under their Python names. Tuples become arrays, nested records objects, a value that
is not known is null or an empty string as the field's type says. An event never holds a secret.
"""

from __future__ import annotations

import dataclasses
import threading
import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.model.changes import Change, HostChanges
from kubeadm_py.model.findings import Finding


@dataclass(frozen=True, slots=True)
class RunHost:
    """Name a host of the run and what it is for (`control-plane`, `worker`, `etcd`)."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Say how long one host took in one stage."""

    stage: str
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Cause:
    """Name one cause of a run that failed; `host` is empty where the cause is not one host's."""

    exit_code: int
    host: str
    summary: str


@dataclass(frozen=True, slots=True)
class StageAhead:
    """Name a stage that is to come: its short name, and what it does."""

    stage: str
    title: str


@dataclass(frozen=True, slots=True)
class Event:
    """Stand for one thing that happened at `time` (Unix seconds; by default now)."""

    type: ClassVar[str] = "event"

    time: float = field(default_factory=clock.time, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """Return the event as plain values, `type` and `time` first."""
        fields = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "time"}
        return {"type": self.type, "time": round(self.time, 3), **fields}


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """Begin a run: `verb` (init, join...), the cluster's name, its Kubernetes version (v1.36.3), all hosts.

    `source` says in words where binaries and images come from ("bundle ./bundle, verified"); may be empty.
    """

    type: ClassVar[str] = "run-started"

    verb: str
    cluster: str
    version: str
    hosts: tuple[RunHost, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class StagesAhead(Event):
    """List the stages that follow the look at the hosts, in order; one without any work never starts."""

    type: ClassVar[str] = "stages-ahead"

    stages: tuple[StageAhead, ...]


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """Begin a stage on `hosts`; `stage` is its short name (prepare), `title` says what it does."""

    type: ClassVar[str] = "stage-started"

    stage: str
    title: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostStarted(Event):
    """Begin a stage's work on one host."""

    type: ClassVar[str] = "host-started"

    stage: str
    host: str


@dataclass(frozen=True, slots=True)
class HostProgress(Event):
    """Say what a host is doing or waiting for right now."""

    type: ClassVar[str] = "host-progress"

    stage: str
    host: str
    message: str


@dataclass(frozen=True, slots=True)
class ActionDone(Event):
    """End one action on one host; `action` is its kind (WriteFiles...), `changed` whether it did anything."""

    type: ClassVar[str] = "action-done"

    stage: str
    host: str
    action: str
    title: str
    changed: bool
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ImagePulled(Event):
    """Tell the digest that a host's pull of an image came to."""

    type: ClassVar[str] = "image-pulled"

    stage: str
    host: str
    reference: str
    digest: str


@dataclass(frozen=True, slots=True)
class HostDone(Event):
    """End one host's part of a stage; `changed` counts its actions that did something, `error` stopped it."""

    type: ClassVar[str] = "host-done"

    stage: str
    host: str
    seconds: float
    changed: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class StageDone(Event):
    """End a stage on all its hosts: how many actions changed something.

    `ok` is false when a host failed; `summary` may replace the stage's title ("6 hosts reached").
    """

    type: ClassVar[str] = "stage-done"

    stage: str
    seconds: float
    changed: int = 0
    ok: bool = True
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Found(Event):
    """Report one finding of a preflight check, field for field (see model.findings.Finding)."""

    type: ClassVar[str] = "found"

    check: str
    severity: str
    host: str
    found: str
    fix: str = ""
    ignored: bool = False

    @classmethod
    def of(cls, finding: Finding) -> Found:
        """Return the event that reports `finding`."""
        return cls(
            finding.check, str(finding.severity), finding.host, finding.found, finding.fix, finding.ignored
        )


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Tell something worth knowing that stops nothing; `level` is `info` or `warning`."""

    type: ClassVar[str] = "notice"

    level: str
    text: str
    host: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """Report one error in full: what was being done and found, where, further lines, what to type next."""

    type: ClassVar[str] = "failed"

    summary: str
    host: str = ""
    details: tuple[str, ...] = ()
    fix: str = ""
    exit_code: int = int(ExitCode.FAILED)

    @classmethod
    def of(cls, error: KubeadmPyError) -> Failed:
        """Return the event that reports `error`."""
        return cls(error.summary, error.host, error.details, error.fix, int(error.exit_code))


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """Tell what `verb` would do: the changes of each host that has any, and those of API objects.

    `considered` names all hosts that were looked at; those `in_turn` change one after the other. Nothing was
    touched.
    """

    type: ClassVar[str] = "plan"

    verb: str
    hosts: tuple[HostChanges, ...]
    objects: tuple[Change, ...] = ()
    considered: tuple[str, ...] = ()
    in_turn: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether nothing would change but what kubeadm-py notes for itself."""
        return not self.objects and all(each.own for host in self.hosts for each in host.changes)


@dataclass(frozen=True, slots=True)
class RunDone(Event):
    """End a run: one verdict line, the exit code, what to type next, and the time per stage and host.

    `changed` counts actions that changed something, `hosts` names the hosts that took part, `causes`
    lists every cause where the run failed (the exit code is that of the gravest).
    """

    type: ClassVar[str] = "run-done"

    verdict: str
    exit_code: int
    seconds: float
    changed: int = 0
    hosts: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    causes: tuple[Cause, ...] = ()


Subscriber = Callable[[Event], None]


class EventBus:
    """Hand every event to every subscriber, one event at a time, from whatever thread it comes.

    A subscriber that raises (a closed pipe, a full disk) is dropped and its error kept in `failures`:
    a display that breaks must not stop a run halfway through a host.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._subscribers: list[Subscriber] = []
        self.failures: list[Exception] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber; the returned function takes it off again."""
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Hand `event` to all subscribers in the order they subscribed."""
        with self._lock:
            for subscriber in tuple(self._subscribers):
                try:
                    subscriber(event)
                except Exception as error:
                    # Whatever a display dies of, the run goes on.
                    self.failures.append(error)
                    self._subscribers.remove(subscriber)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 3)
    return value
