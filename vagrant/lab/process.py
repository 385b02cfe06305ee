"""Run programs, with their failures made readable."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class LabError(Exception):
    """Something the lab cannot go on from; its text is what the person at the terminal reads."""


def say(text: str) -> None:
    """Print one line of progress to standard error, so that standard output stays for results."""
    print(text, file=sys.stderr, flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 600,
) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to the environment. A failure raises LabError with the end of what the program said.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]}: not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(words)}: still running after {timeout:.0f} s, stopped") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"{' '.join(words)}: exit {done.returncode}\n{said}")
    return done.stdout


def answers(argv: Sequence[str | Path], *, timeout: float = 30) -> bool:
    """Say whether a program runs and succeeds."""
    try:
        run(argv, timeout=timeout)
    except LabError:
        return False
    return True
