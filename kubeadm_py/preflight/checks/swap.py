"""Check for swap."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def swap(ctx: CheckContext) -> Iterator[Hit]:
    """Look at /proc/swaps; what it means depends on failSwapOn."""
    if not ctx.facts.swaps:
        return
    where = ", ".join(ctx.facts.swaps)
    if ctx.cluster.kubelet_config.get("failSwapOn") is False:
        yield Hit(f"on ({where}), and the kubelet will run with swap (failSwapOn: false)")
    elif ctx.facts.container:
        yield Hit(
            f"on ({where}), and it is not this container's to switch off; the kubelet refuses to start",
            "failSwapOn: false in KubeletConfiguration, or swapoff -a on the machine",
        )
    else:
        yield Hit(
            f"on ({where}); preparing the host switches it off, now and after reboots",
            "to keep it: failSwapOn: false in KubeletConfiguration",
        )


CHECKS = (
    Check(
        "Swap",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "Swap is off.",
        swap,
        shared=True,
    ),
)
