"""Check that clocks agree and are kept in time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit

TOLERATED_SECONDS = 1.0
REFUSED_SECONDS = 30.0
BACKDATED_SECONDS = 300.0
"""How far certificates are backdated (kubeadm contract, section 0): the operator's clock dates them."""


def clock_skew(ctx: CheckContext) -> Iterator[Hit]:
    """Compare the host's clock with the median of all hosts, and with the operator's."""
    offsets = [facts.clock_offset for facts in ctx.all_facts.values()] or [ctx.facts.clock_offset]
    if len(offsets) % 2 == 0:
        # The operator's own clock settles which of two halves is off.
        offsets.append(0.0)
    apart = ctx.facts.clock_offset - statistics.median(offsets)
    fix = "install or start a time service (chrony, systemd-timesyncd) on every host"
    if abs(apart) > TOLERATED_SECONDS:
        yield Hit(
            f"{_seconds(apart)} {'ahead of' if apart > 0 else 'behind'} the median of the hosts",
            fix,
            severity=Severity.ERROR if abs(apart) > REFUSED_SECONDS else Severity.WARNING,
        )
    elif -ctx.facts.clock_offset > BACKDATED_SECONDS:
        yield Hit(
            f"{_seconds(ctx.facts.clock_offset)} behind this machine, whose clock dates the certificates: "
            "they would not be valid yet",
            "set the clock of whichever is wrong",
        )


def time_sync(ctx: CheckContext) -> Iterator[Hit]:
    """Look for a time service; a container's clock is its machine's."""
    if ctx.facts.time_synchronised is False:
        services = ", ".join(ctx.facts.time_services) or "a time service"
        yield Hit(
            f"{services} runs, but the clock is not synchronised",
            "chronyc sources, or timedatectl timesync-status",
        )
    elif ctx.facts.time_synchronised is None and not ctx.facts.time_services and not ctx.facts.container:
        yield Hit(
            "no time service runs", "apt-get install chrony (or systemctl enable --now systemd-timesyncd)"
        )


def _seconds(value: float) -> str:
    size = abs(value)
    return f"{size:.1f} s" if size < 120 else f"{size / 60:.0f} min"


CHECKS = (
    Check(
        "ClockSkew",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        f"The clock is within {TOLERATED_SECONDS:.0f} s of the hosts' median (an error beyond "
        f"{REFUSED_SECONDS:.0f} s), and certificates dated here are valid there.",
        clock_skew,
        shared=True,
        kubeadm=False,
    ),
    Check(
        "TimeSync",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "A time service runs and keeps the clock synchronised.",
        time_sync,
        shared=True,
        kubeadm=False,
    ),
)
