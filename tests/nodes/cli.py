"""Run the real command as an operator does: in a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WITHIN = 300.0
"""Seconds for one command on a loaded machine; its own waits end before."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def events(self) -> list[dict[str, Any]]:
        """What `--format json` printed."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def report(self) -> dict[str, Any]:
        """The last line of `--format json`."""
        return self.events[-1]

    def __str__(self) -> str:
        return (
            f"$ kubeadm-py {' '.join(self.argv)}\n{self.text}\nexit {self.code} after {self.seconds:.1f} s\n"
        )


class Running:
    """A command that still runs, with `--format json`; read its events as they come."""

    def __init__(self, cli: Cli, argv: tuple[str, ...], env: dict[str, str]) -> None:
        self._cli = cli
        self._argv = (*argv, "--format", "json")
        self._started = time.monotonic()
        self._errors = cli.home / "stderr"
        self._lines: list[str] = []
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                cli.command(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**cli.environment(), **env},
            )

    def until(self, **wanted: Any) -> dict[str, Any]:
        """Return the first event whose fields have these values (a string: is part of it)."""
        return self.first(wanted)

    def first(self, *wanted: dict[str, Any]) -> dict[str, Any]:
        """Return the first event that is any of these."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            event: dict[str, Any] = json.loads(line)
            if any(all(_fits(event.get(key), value) for key, value in each.items()) for each in wanted):
                return event
        raise AssertionError(f"{wanted} never came\n{self.end()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, within: float = WITHIN) -> Done:
        """Wait until the command ends; one that does not is killed and fails the test."""
        try:
            rest, _ = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rest, _ = self.process.communicate()
            raise AssertionError(f"still running after {within:.0f} s\n{self._done(rest)}") from None
        return self._done(rest)

    def _done(self, rest: str) -> Done:
        seconds = time.monotonic() - self._started
        done = Done(
            self._argv,
            self.process.returncode,
            "".join(self._lines) + rest,
            self._errors.read_text(),
            seconds,
        )
        self._cli.history.append(done)
        return done


def _fits(found: Any, wanted: Any) -> bool:
    return wanted in found if isinstance(found, str) and isinstance(wanted, str) else bool(found == wanted)


@dataclass
class Cli:
    """The command, and what was run with it."""

    home: Path
    history: list[Done] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """An operator's environment: nothing of this process's own but the way to programs."""
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(self.home / "state"),
        }

    def command(self, argv: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "kubeadm_py", *argv]

    def run(
        self,
        *argv: str | Path,
        code: int | None = 0,
        stdin: str = "",
        env: dict[str, str] | None = None,
        within: float = WITHIN,
    ) -> Done:
        """Run a command to its end; another exit code than `code` fails the test with all that was said.

        None takes any.
        """
        words = tuple(map(str, argv))
        started = time.monotonic()
        try:
            ended = subprocess.run(
                self.command(words),
                input=stdin,
                capture_output=True,
                text=True,
                env={**self.environment(), **(env or {})},
                timeout=within,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"").decode(errors="replace")
            raise AssertionError(f"kubeadm-py {' '.join(words)}: no end in {within:.0f} s\n{said}") from None
        done = Done(words, ended.returncode, ended.stdout, ended.stderr, time.monotonic() - started)
        self.history.append(done)
        assert code in (None, done.code), f"exit code {done.code}, not {code}\n{done}"
        assert "Traceback" not in done.text, str(done)
        return done

    def start(self, *argv: str | Path, env: dict[str, str] | None = None) -> Running:
        """Start a command and leave it running."""
        return Running(self, tuple(map(str, argv)), env or {})
