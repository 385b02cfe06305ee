"""Say what can follow the words that were typed so far: shells ask this for each press of the Tab key."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kubeadm_py.cli import app
from kubeadm_py.cli.shells import DESCRIBED, TABBED
from kubeadm_py.cli.table import COMMANDS


def candidates(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return (word, what it is for) of all that the last of the words can become; none where it is free."""
    *typed, last = words or [""]
    path = ""
    for word in typed:
        further = f"{path} {word}".strip()
        path = further if app.is_path(further) else path
    command = app.command(path) if path in COMMANDS or path in app.PHASES else None
    params = [param for param in getattr(command, "params", ()) if param.param_type_name == "option"]
    if typed and _takes_value(params, typed[-1]):
        return []
    if last.startswith("-"):
        shown = [param for param in params if not param.hidden]
        found = [(name, param.help or "") for param in shown for name in param.opts]
        found.append(("--help", "Show help and exit."))
    else:
        found = [(name, app.summary(f"{path} {name}".strip())) for name in app.children(path)]
    return [(name, help_) for name, help_ in found if name.startswith(last)]


def _takes_value(params: Sequence[Any], word: str) -> bool:
    return any(word in param.opts and not param.is_flag for param in params)


def answer(words: Sequence[str], form: str) -> None:
    """Print the candidates as a shell wants them."""
    for name, help_ in candidates(words):
        line = {DESCRIBED: f"{name}:{help_}", TABBED: f"{name}\t{help_}"}.get(form, name)
        sys.stdout.write(line + "\n")
