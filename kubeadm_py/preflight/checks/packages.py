"""Check for what else is installing things at this moment."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def cloud_init(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the machine's first boot has ended."""
    if ctx.facts.cloud_init == "running":
        yield Hit("cloud-init is still at work and may change the host", "cloud-init status --wait")
    elif ctx.facts.cloud_init == "error":
        yield Hit("cloud-init ended with errors; the host may be half set up", "cloud-init status --long")


def package_lock(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether a package manager is at work, where we would install packages."""
    if ctx.facts.package_lock_held and ctx.cluster.artifacts is ArtifactSource.PACKAGES:
        yield Hit(
            f"a package manager is at work: {ctx.facts.package_lock_holder or 'its lock is held'}",
            "it is waited for; unattended upgrades? systemctl status apt-daily-upgrade",
        )


CHECKS = (
    Check(
        "CloudInit",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "cloud-init has ended, without errors.",
        cloud_init,
        kubeadm=False,
    ),
    Check(
        "PackageLock",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "No package manager holds its lock (artifacts from packages only).",
        package_lock,
        kubeadm=False,
    ),
)
