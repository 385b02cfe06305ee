"""Print what a dry run would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.model.phases import PREFLIGHT
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.show import as_json, as_text
from kubeadm_py.render import yaml_text


def show_plan(plan: Plan, display: Display) -> str:
    """Print a plan: lines for people, one JSON object for machines; return a dry run's verdict."""
    if display.format == "json":
        sys.stdout.write(json.dumps(as_json(plan)) + "\n")
    else:
        sys.stdout.write(as_text(plan))
    return "nothing was changed (--dry-run)" if plan_changes(plan) else "nothing would change (--dry-run)"


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
