"""Check that the machine is big enough and of a kind that Kubernetes is built for."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.words import plural
from kubeadm_py.preflight.context import CONTROL_PLANES, EVERYWHERE, Check, CheckContext, Hit

MINIMUM_CPUS = 2
MINIMUM_MEMORY_MIB = 1700
ARCHITECTURES = ("amd64", "arm64", "ppc64le", "s390x")
"""What Kubernetes is released for as a node."""


def num_cpu(ctx: CheckContext) -> Iterator[Hit]:
    """Count the CPUs that a process may use."""
    if ctx.facts.cpus < MINIMUM_CPUS:
        yield Hit(
            f"{plural(ctx.facts.cpus, 'CPU')}; a control plane needs {MINIMUM_CPUS}",
            "give the machine more CPUs",
        )


def mem(ctx: CheckContext) -> Iterator[Hit]:
    """Compare the machine's memory, in MiB."""
    found = ctx.facts.memory_bytes >> 20
    if found < MINIMUM_MEMORY_MIB:
        yield Hit(
            f"{found} MiB of memory; a control plane needs {MINIMUM_MEMORY_MIB} MiB",
            "give the machine more memory",
        )


def architecture(ctx: CheckContext) -> Iterator[Hit]:
    """Compare with what Kubernetes is released for."""
    if ctx.facts.architecture not in ARCHITECTURES:
        yield Hit(
            f"the machine is {ctx.facts.architecture}; Kubernetes is released for {', '.join(ARCHITECTURES)}",
            "use a machine (and a 64-bit system) of one of these",
        )


CHECKS = (
    Check(
        "NumCPU",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        f"A control plane has at least {MINIMUM_CPUS} CPUs.",
        num_cpu,
    ),
    Check(
        "Mem",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        f"A control plane has at least {MINIMUM_MEMORY_MIB} MiB of memory.",
        mem,
    ),
    Check(
        "Architecture",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Kubernetes is released for the machine's architecture.",
        architecture,
        kubeadm=False,
    ),
)
