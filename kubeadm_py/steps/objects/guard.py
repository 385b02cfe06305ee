"""Guard a change of API objects that something works by: kept before it, put back where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model.actions import Action, Guard, KeptObjects, Settle
from kubeadm_py.model.live import stub
from kubeadm_py.steps.base import StepContext, admin_kubeconfig

ROLL_MANAGER = "kubeadm-py-roll"
"""The field manager of what a roll sets and the next apply leaves alone."""
READY_SECONDS = 5
"""How long a pod has to run on a node before the next one is replaced."""


def guarded(
    ctx: StepContext,
    phase: str,
    kept: Sequence[Mapping[str, Any]],
    change: Sequence[Action],
    end: Sequence[Action],
) -> list[Action]:
    """Return a change with a guard around it; `end` is done after it, and after the objects were put back.

    `kept` are the objects of `phase` that the change is about.
    """
    objects = KeptObjects(tuple(map(stub, kept)), *spoken_to(ctx))
    return [Guard(objects=objects, recover=tuple(end), name=guard_name(phase)), *change, *end, Settle()]


def guard_name(phase: str) -> str:
    """Return the name of the guard of a group of objects."""
    return phase.replace("/", "-")


def spoken_to(ctx: StepContext) -> tuple[str, str]:
    """Return the kubeconfig and the API server of a host for what concerns the whole cluster."""
    return admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}"
