"""Print what a dry run would do."""

from __future__ import annotations

import json
import sys

from kubeadm_py.cli.frame import Display
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.show import as_json, as_text


def show_plan(plan: Plan, display: Display) -> str:
    """Print a plan: lines for people, one JSON object for machines; return a dry run's verdict."""
    if display.format == "json":
        sys.stdout.write(json.dumps(as_json(plan)) + "\n")
    else:
        sys.stdout.write(as_text(plan))
    return "nothing was changed (--dry-run)" if plan_changes(plan) else "nothing would change (--dry-run)"
