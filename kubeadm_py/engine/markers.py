"""Read the marker lines of a running stage script: events while it runs, its error at its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from kubeadm_py.engine.boundary import HELD
from kubeadm_py.engine.events import ActionDone, EventBus, HostProgress, ImagePulled, Notice
from kubeadm_py.engine.interrupt import InterruptedRunError
from kubeadm_py.engine.session import lock_lost, stage_at_work
from kubeadm_py.engine.stage_script import CompiledAction
from kubeadm_py.errors import KubeadmPyError, WaitTimeoutError
from kubeadm_py.model import paths
from kubeadm_py.model.times import go_duration
from kubeadm_py.transport.base import Result

_MARK = "##kubeadm-py "
_WAIT_OUT_OF_TIME = 9
_WAIT_HOPELESS = 10
_STOPPED = 130
_PUTTING_BACK = "putting back"
"""How what is told begins while a stage that failed takes back what it changed."""


class RolledBackError(KubeadmPyError):
    """Report a host on which a change did not work and was taken back."""


class MarkerReader:
    """Turn a stage script's marker lines into events, and its failure into an error."""

    def __init__(
        self,
        bus: EventBus,
        stage: str,
        host: str,
        reached: Callable[[str], None],
        logs_command: Callable[[str], str],
    ) -> None:
        self._bus, self._stage, self._host, self._reached = bus, stage, host, reached
        self._logs_command = logs_command
        self.actions: list[CompiledAction] = []
        self.changed = 0
        self._begun = time.monotonic()
        self._failed: tuple[int, int] | None = None
        self._output: list[str] = []
        self._note = ""
        self._stopped_before: int | None = None
        self._busy = False
        self._lost = False
        self._unnoted = False
        """Whether the inventory could not be written."""
        self._put_back = False
        """Whether a stage that failed has put everything back."""
        self._recovery: list[str] | None = None
        """What putting back said, once it has begun."""

    def line(self, text: str) -> None:
        """Take a line of the script's output; what is no marker is left alone."""
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
            self._noted(rest)
        elif word == "warning":
            self._bus.emit(Notice("warning", rest, self._host))
        elif word == "pulled":
            reference, _, digest = rest.partition(" ")
            self._bus.emit(ImagePulled(self._stage, self._host, reference, digest))
        elif word == "failed":
            index, _, code = rest.partition(" ")
            self._failed = self._index(index), int(code)
        elif word == "output":
            (self._output if self._recovery is None else self._recovery).append(rest)
        elif word == "rolling-back":
            self._recovery = []
            why = f": {self._why(*self._failed)}" if self._failed else ""
            self._bus.emit(HostProgress(self._stage, self._host, f"{_PUTTING_BACK} what was there{why}"))
        elif word == "rolled-back":
            self._put_back = True
        elif word == "stopped":
            self._stopped_before = self._index(rest)
        elif word == "busy":
            self._busy = True
        elif word == "lost":
            self._lost = True
        elif word == "unnoted":
            self._unnoted = True
        elif word == "held":
            self._bus.emit(HostProgress(self._stage, self._host, HELD))

    def _noted(self, text: str) -> None:
        """Tell what is waited for; what putting back waits for is not why the stage failed."""
        if self._recovery is None:
            self._note = text
        else:
            text = f"{_PUTTING_BACK}: {text}"
        self._bus.emit(HostProgress(self._stage, self._host, text))

    def _why(self, index: int, code: int) -> str:
        """Return in a few words why the action that failed did."""
        said = next((line for line in self._output if line.strip()), f"exit code {code}")
        deadline = self.actions[index].deadline
        if deadline is not None and code == _WAIT_OUT_OF_TIME:
            return f"not within {go_duration(deadline)}; {self._note or said}"
        return said

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
            raise stage_at_work(self._host, "5 minutes")
        if self._lost:
            raise lock_lost(self._host)
        if self._unnoted:
            raise KubeadmPyError(
                f"what is about to be changed cannot be noted in {paths.INVENTORY}: nothing was changed",
                host=self._host,
                details=_tail(result),
                fix="run the command again once the cause is mended",
            )
        if self._stopped_before is not None:
            raise self._interrupted(self._stopped_before)
        if self._failed is None:
            if not result.ok:
                raise KubeadmPyError(
                    f"stage {self._stage}: the script ended with code {result.exit_code}",
                    host=self._host,
                    details=_tail(result),
                    fix="run the command again once the cause is mended: it goes on where it stopped",
                )
            return
        index, code = self._failed
        action = self.actions[index]
        output = tuple(line for line in self._output if line.strip())
        if self._recovery is not None:
            raise self._rolled_back(action, self._why(index, code), output[1:])
        if code == _STOPPED:
            raise self._interrupted(index)
        if code == _WAIT_HOPELESS and action.deadline is not None:
            why, *details = output or ("it cannot succeed any more",)
            raise KubeadmPyError(
                f"{action.title}: {why}", host=self._host, details=details, fix=self._look(action)
            )
        if code == _WAIT_OUT_OF_TIME and action.deadline is not None:
            why = f"; {self._note}" if self._note else ""
            raise WaitTimeoutError(
                f"{action.title}: not within {go_duration(action.deadline)}{why}",
                host=self._host,
                details=output,
                fix=self._look(action),
            )
        raise KubeadmPyError(
            f"{action.title} failed (exit code {code})",
            host=self._host,
            details=output[-20:],
            fix=self._look(action)
            or "run the command again once the cause is mended: it goes on where it stopped",
        )

    def _rolled_back(self, action: CompiledAction, why: str, details: tuple[str, ...]) -> RolledBackError:
        """Return what is told of a host that a guard has put back, or could not."""
        recovery = [line for line in self._recovery or () if line.strip()]
        if self._put_back:
            now = f"{self._host} is as before: what was there is put back, and it works again"
            fix = "correct the config and run the same command again"
        else:
            now = f"{self._host} is NOT as before: putting back what was there failed"
            fix = f"mend it, then run the same command again; what was there lies in {paths.KEPT_DIR}"
        look = "".join(f"look: {line}\n" for line in self._look(action).splitlines())
        return RolledBackError(
            f"{action.title}: {why}",
            host=self._host,
            details=[*details, now, *recovery[-10:]],
            fix=look + fix,
        )

    def _look(self, action: CompiledAction) -> str:
        """Return what shows more, a command a line."""
        typed = [self._logs_command(component) for component in action.logs]
        return "\n".join([*typed, *([action.look] if action.look else [])])

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
