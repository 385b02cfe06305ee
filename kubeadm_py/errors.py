"""Exit codes and the root of every error that a person reads."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """Say how a command ended; the one table of exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PREFLIGHT = 3
    CHANGES = 4
    LOCKED = 5
    VERIFY = 6
    UNREACHABLE = 7
    HOST_KEY = 8
    TIMEOUT = 9
    INTERRUPTED = 130


EXIT_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.LOCKED,
    ExitCode.HOST_KEY,
    ExitCode.UNREACHABLE,
    ExitCode.PREFLIGHT,
    ExitCode.FAILED,
    ExitCode.TIMEOUT,
)
"""Of several causes the first one here decides the exit code."""


class KubeadmPyError(Exception):
    """Tell what was being done, where, what was found and what to do next.

    `summary` is one line without a host's name; `host` names where; `details` are further lines (a
    component's last log lines, say); `fix` says what to do or type next. `str(error)` is
    "HOST: SUMMARY".
    """

    exit_code: ExitCode = ExitCode.FAILED
    told: bool = False
    """Whether a run's events have told it already."""

    def __init__(
        self, summary: str, *, host: str = "", details: tuple[str, ...] | list[str] = (), fix: str = ""
    ) -> None:
        self.summary = summary
        self.host = host
        self.details = tuple(details)
        self.fix = fix
        super().__init__(summary)

    def __str__(self) -> str:
        # Not fixed at birth: who catches the error may be the first to know the host.
        return f"{self.host}: {self.summary}" if self.host else self.summary


class UsageError(KubeadmPyError):
    """Refuse a command line or a config."""

    exit_code = ExitCode.USAGE


class PreflightError(KubeadmPyError):
    """Refuse a host before anything on it changes."""

    exit_code = ExitCode.PREFLIGHT


class LockedError(KubeadmPyError):
    """Name the run that holds a host's lock."""

    exit_code = ExitCode.LOCKED


class UnreachableError(KubeadmPyError):
    """Report a host that cannot be reached or a connection that was lost."""

    exit_code = ExitCode.UNREACHABLE


class HostKeyError(KubeadmPyError):
    """Refuse a host whose key is unknown or has changed."""

    exit_code = ExitCode.HOST_KEY


class WaitTimeoutError(KubeadmPyError):
    """Report a wait that ran out, with what was not ready yet."""

    exit_code = ExitCode.TIMEOUT


def of_system(error: Exception) -> KubeadmPyError | None:
    """Return what is told of a named file that this machine refuses; None where it is another error."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    reason = error.strerror or type(error).__name__
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    fix = _MEND.get(error.errno or 0, "").format(path=shlex.quote(path))
    return KubeadmPyError(f"{path} cannot be used: {reason}", fix=fix)


@contextmanager
def system_errors_told() -> Iterator[None]:
    """Raise KubeadmPyError where this machine refuses a named file."""
    try:
        yield
    except OSError as error:
        told = of_system(error)
        if told is None:
            raise
        raise told from error


_MEND = {
    errno.EACCES: "see who may use it, and the folders on the way to it: namei -l {path}",
    errno.EPERM: "see who may use it, and the folders on the way to it: namei -l {path}",
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "name a place that can be written",
    errno.ENOENT: "name a place that is there",
    errno.ENOTDIR: "name a place that is there",
    errno.ENAMETOOLONG: "name a shorter one",
}


def worst(codes: list[ExitCode]) -> ExitCode:
    """Return the exit code of a run that ended with `codes`; DONE where there is none."""
    return next((code for code in EXIT_PRECEDENCE if code in codes), codes[0] if codes else ExitCode.DONE)
