"""Frame a command: its reporter, its errors, its exit code. The only exit path."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from kubeadm_py.cli import streams
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError, of_system

FORMATS = ("text", "json")
TRACEBACKS_FROM = 5
"""The verbosity from which a fault of our own shows its traceback."""


@dataclass(frozen=True, slots=True)
class Display:
    """Hold how a command shows itself."""

    format: str = "text"
    no_color: bool = False
    verbosity: int = 0


def guarded(display: Display, body: Callable[[], ExitCode | None]) -> None:
    """Run a command's body and exit with its code; an error that no event has told yet is told here."""
    try:
        _check_format(display)
        code = body()
        sys.stdout.flush()
    except KubeadmPyError as error:
        if not error.told:
            _show(error, display)
        raise typer.Exit(int(error.exit_code)) from None
    except BrokenPipeError:
        # Somebody closed the pipe (`| head`).
        streams.abandon_output()
        raise typer.Exit(int(ExitCode.FAILED)) from None
    except KeyboardInterrupt:
        _show(StoppedError("stopped by Ctrl-C"), display)
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
    except Exception as error:
        if isinstance(error, OSError) and streams.is_full(error):
            streams.abandon_output()
            error = _no_room(error)
        elif display.verbosity >= TRACEBACKS_FROM:
            raise
        else:
            error = of_system(error) or _unexpected(error)
        _show(error, display)
        raise typer.Exit(int(ExitCode.FAILED)) from None
    raise typer.Exit(int(code or ExitCode.DONE))


class StoppedError(KubeadmPyError):
    """Report that a person stopped a command that had not begun a run, or needs none."""

    exit_code = ExitCode.INTERRUPTED


def _check_format(display: Display) -> None:
    if display.format not in FORMATS:
        raise UsageError(f"--format {display.format!r}: one of {', '.join(FORMATS)}")


def _unexpected(error: Exception) -> KubeadmPyError:
    """Return what a person is told of a fault of our own."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return KubeadmPyError(
        "kubeadm-py itself failed",
        details=[
            f"{type(error).__name__}: {error}",
            f"in {place.name}, {Path(place.filename).name}:{place.lineno}",
        ],
        fix="please report this as a bug, with what the same command prints with -v 5 (where it has -v)",
    )


def _no_room(error: OSError) -> KubeadmPyError:
    return KubeadmPyError(
        f"standard output cannot be written: {error.strerror}",
        fix="make room where it goes, and run the command again",
    )


def _show(error: KubeadmPyError, display: Display) -> None:
    if display.format == "json":
        from kubeadm_py.engine.events import Failed

        errors = getattr(error, "errors", (error,))
        for each in errors:
            sys.stdout.write(json.dumps(Failed.of(each).to_json()) + "\n")
        return
    from kubeadm_py.report.errors import format_error

    sys.stderr.write(format_error(error).rstrip("\n") + "\n")


@contextmanager
def told(display: Display, bus: object) -> Iterator[None]:
    """Show a run's events on standard output, and keep its log."""
    from kubeadm_py.engine.events import EventBus
    from kubeadm_py.report import open_reporter

    assert isinstance(bus, EventBus)  # noqa: S101 - the type is imported late
    reporter = open_reporter(
        display.format, stream=sys.stdout, no_color=display.no_color, verbosity=display.verbosity
    )
    try:
        with reporter as subscriber:
            bus.subscribe(subscriber)
            yield
    finally:
        streams.give_up_if_unwritable()
        for failure in bus.failures:
            # The run went on without its display or its log; `| head` is no accident.
            if not isinstance(failure, BrokenPipeError):
                sys.stderr.write(f"warning: not all of this run was shown and logged: {failure}\n")
