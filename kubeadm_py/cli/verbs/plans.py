"""Tell what a run would do, instead of doing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model.phases import PREFLIGHT
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan import show
from kubeadm_py.plan.run import Run
from kubeadm_py.render import yaml_text


def show_plan(run: Run, plan: Plan, *, in_turn: tuple[str, ...] = ()) -> str:
    """Tell a plan as an event; return a dry run's verdict."""
    told = show.planned(plan, run.sessions, in_turn=in_turn)
    run.bus.emit(told)
    return "nothing would change (--dry-run)" if told.empty else "nothing was changed (--dry-run)"


def show_objects(objects: Sequence[Mapping[str, Any]]) -> None:
    """Print API objects as YAML documents, as kubeadm's --print-manifest does."""
    for item in objects:
        sys.stdout.write("---\n" + yaml_text.dump(item).decode())


def alone(verb: str, phases: Sequence[str], hosts: Sequence[str], changed: int) -> str:
    """Return what to say at the end of phases that ran alone."""
    what = f"{verb} phase {', '.join(phases)} on {', '.join(hosts)}"
    if tuple(phases) == (PREFLIGHT,):
        return f"{what}: passed"
    return f"{what}: done" if changed else f"{what}: nothing to do"
