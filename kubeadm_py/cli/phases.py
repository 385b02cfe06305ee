"""Make `init phase NAME`, `join phase NAME` and `reset phase NAME` of the workflows' lists of phases."""

from __future__ import annotations

from typing import Any

from kubeadm_py.cli import options
from kubeadm_py.model.phases import WORKFLOWS, Phase, parts

ALL = "all"
_EVERY_PHASE = ("config", "dry-run")
_DISCOVERY = "token"
"""The flag of phases that look the cluster up; these take API:PORT, too."""


def commands() -> dict[str, Phase]:
    """Return each command and what it runs, in kubeadm's order; `certs all` stands for `certs`."""
    found: dict[str, Phase] = {}
    for verb, phases in WORKFLOWS.items():
        for phase in phases:
            inner = parts(phases, phase.name)
            if inner:
                flags = " ".join(part.flags for part in (phase, *inner))
                if len(inner) > 1 or phase.name != "etcd":
                    found[f"{_path(verb, phase)} {ALL}"] = Phase(phase.name, phase.title, flags)
            else:
                found[_path(verb, phase)] = phase
    return found


def groups() -> dict[str, str]:
    """Return the words that stand for several phases, and what they are for."""
    found = {}
    for verb, phases in WORKFLOWS.items():
        found[f"{verb} phase"] = f"Run a single phase of {verb}."
        found |= {_path(verb, phase): phase.title for phase in phases if parts(phases, phase.name)}
    return found


def _path(verb: str, phase: Phase) -> str:
    return f"{verb} phase {phase.name.replace('/', ' ')}"


def narrowed(whole: Any, path: str, phase: Phase) -> Any:
    """Make a phase's command of its verb's: the flags that the phase has, and ours."""
    verb = path.partition(" ")[0]
    wanted = {f"--{name}" for name in (*_EVERY_PHASE, *phase.flags.split())}
    looks_up = _DISCOVERY in phase.flags.split()
    kept = []
    for param in whole.params:
        if param.param_type_name == "argument":
            if looks_up:
                kept.append(param)
        elif wanted & set(param.opts) or param.hidden or _ours(param):
            kept.append(param)
    whole.name = path.rpartition(" ")[2]
    whole.params = kept
    whole.phases = (phase.name,)
    whole.help = (
        f"{phase.title}\n\nThe phase {phase.name} of {verb}, and nothing else, with what is there already; "
        f"{verb} does it in its turn."
    )
    whole.hidden = phase.hidden
    return whole


def _ours(param: Any) -> bool:
    return param.rich_help_panel == options.OURS or "--v" in param.opts
