"""Check for what add-ons need installed, and for what else is installing things at this moment."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model import host_settings
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


_FAMILIES = {"apt-get": "debian", "dnf": "rhel", "yum": "rhel", "zypper": "suse"}
"""Package manager -> the family of systems whose package names hold."""


def addon_commands(ctx: CheckContext) -> Iterator[Hit]:
    """Look for programs that add-ons need on every host."""
    manager = ctx.facts.package_manager
    for command in ctx.needs.commands:
        if command.name in ctx.facts.executables:
            continue
        package = command.packages.get(_FAMILIES.get(manager, ""))
        yield Hit(
            f"{' and '.join(command.addons)} needs {command.name}, which is not installed",
            f"{manager} install {package}" if package else f"install the package that brings {command.name}",
        )


def addon_sysctls(ctx: CheckContext) -> Iterator[Hit]:
    """Look at settings that add-ons need and that preparation does not make."""
    for key, value in ctx.needs.sysctls.items():
        found = ctx.facts.sysctls.get(key)
        if key not in host_settings.SYSCTLS and found is not None and found != value:
            yield Hit(f"{key} is {found}; an add-on needs {value}", f"sysctl -w {key}={value}")


CHECKS = (
    Check(
        "AddonCommands",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Programs that add-ons need on the hosts are installed.",
        addon_commands,
        kubeadm=False,
    ),
    Check(
        "AddonSysctls",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Kernel settings that add-ons need are so.",
        addon_sysctls,
        shared=True,
        kubeadm=False,
    ),
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
