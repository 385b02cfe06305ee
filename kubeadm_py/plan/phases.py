"""Say which of kubeadm's phases a run leaves out, and refuse those that cannot be left out alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubeadm_py.errors import UsageError

PREFLIGHT = "preflight"


@dataclass(frozen=True, slots=True)
class Phases:
    """List kubeadm's phases of one verb by how they can be skipped; a phase stands for its sub-phases too."""

    skippable: frozenset[str]
    absent: frozenset[str]
    """What this verb never does here, so that skipping it changes nothing."""
    divided: frozenset[str] = frozenset()
    """Phases whose sub-phases cannot be skipped alone yet."""


JOIN = Phases(
    skippable=frozenset(
        {
            PREFLIGHT,
            "control-plane-prepare",
            *(f"control-plane-prepare/{name}" for name in ("download-certs", "certs", "kubeconfig")),
            "control-plane-prepare/control-plane",
            "check-etcd",
            "kubelet-start",
            "etcd-join",
            "kubelet-wait-bootstrap",
            "control-plane-join",
            "control-plane-join/mark-control-plane",
            "wait-control-plane",
        }
    ),
    absent=frozenset(),
)
_SAME = {"etcd/local": "etcd", "kubelet-finalize/enable-client-cert-rotation": "kubelet-finalize"}
"""Sub-phases that are all of their phase."""


def init() -> Phases:
    """Return init's phases."""
    # Imported late: with the objects come the add-ons and the templates, and a join needs none of them here.
    from kubeadm_py.steps import cluster_objects

    return Phases(
        skippable=frozenset(
            {
                PREFLIGHT,
                "certs",
                "kubeconfig",
                "etcd",
                "control-plane",
                "kubelet-start",
                "wait-control-plane",
                "mark-control-plane",
                "kubelet-finalize",
                *cluster_objects.PHASES,
                *(phase.partition("/")[0] for phase in cluster_objects.PHASES),
            }
        ),
        absent=frozenset({"upload-certs", "show-join-command"}),
        divided=frozenset({"certs", "kubeconfig", "control-plane"}),
    )


def skipped(phases: Phases, *names: Iterable[str]) -> tuple[str, ...]:
    """Return the phases to skip, of the config and of the command line; raise UsageError for others."""
    wanted = dict.fromkeys(_SAME.get(name, name) for each in names for name in each)
    for name in wanted:
        parent = name.partition("/")[0]
        if name in phases.skippable or parent in phases.absent:
            continue
        if parent in phases.divided:
            raise UsageError(
                f"skipping the phase {name} is not supported yet",
                fix=f"skip the whole phase: {parent}",
            )
        raise UsageError(
            f"there is no phase {name} to skip",
            fix=f"one of {', '.join(sorted(phases.skippable | phases.absent))}",
        )
    return tuple(wanted)
