"""Tell what a run would do, instead of doing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeadm_py.config.documents import named_path
from kubeadm_py.config.load import Loaded
from kubeadm_py.engine.events import Planned
from kubeadm_py.model.keys import KeyPath
from kubeadm_py.model.phases import PREFLIGHT
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.show import changes as show
from kubeadm_py.plan.show import why
from kubeadm_py.render import yaml_text

if TYPE_CHECKING:
    from kubeadm_py.plan.cluster.apply import ApplyReport


def tell(run: Run, report: ApplyReport, loaded: Loaded) -> Planned:
    """Tell what apply would do as an event, with the keys of the config that are why, and return it."""
    told = show.planned(
        report.plan,
        run.sessions,
        why.reasons(run.cluster, report.live, lambda kind, path: place(loaded, kind, path)),
        in_turn=report.in_turn,
        live=report.live,
    )
    run.bus.emit(told)
    return told


def place(loaded: Loaded, kind: str, path: KeyPath) -> str:
    """Say where the config has a key, as FILE:LINE; where it has less of it, the nearest above; else ''."""
    document = loaded.documents.get(kind)
    known = named_path(document.data, path) if document is not None else ()
    if document is None or not known:
        return ""
    file, line, _ = document.locate(known)
    return f"{file}:{line}" if line else file


def show_plan(run: Run, plan: Plan) -> str:
    """Tell a plan as an event; return a dry run's verdict."""
    told = show.planned(plan, run.sessions)
    run.bus.emit(told)
    return verdict(told)


def verdict(told: Planned) -> str:
    """Return a dry run's verdict."""
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
