"""Check for what add-ons need installed, and for what else is installing things at this moment."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from kubeadm_py.model import distributions, host_settings
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.facts import Interface
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, NODES, Check, CheckContext, Hit


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


def distribution(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether Kubernetes has packages for this system, where we would install them."""
    if ctx.cluster.artifacts is not ArtifactSource.PACKAGES:
        return
    release = ctx.facts.os_release
    family, named = distributions.family_of(release), distributions.called(release)
    instead = "use spec.artifacts.source: official or bundle, which need no packages"
    if family is None:
        yield Hit(f"Kubernetes has packages for apt and dnf, and this is {named}", instead)
    elif oldest := distributions.is_too_old(release):
        yield Hit(
            f"{named} is too old for these packages; {release['ID']} {oldest} is the oldest",
            f"upgrade the system, or {instead}",
        )
    elif not any(name in ctx.facts.executables for name in family.managers):
        yield Hit(f"{named} has no {' or '.join(family.managers)}", instead)


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


def addon_interfaces(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the interface that an add-on's parameter chooses is on the host and has an address."""
    families = {network.version for network in ctx.cluster.networking.pod_networks}
    for choice in ctx.needs.interfaces:
        asked = f"{choice.parameter} asks for ({', '.join(choice.values)})"
        found = [
            one for one in ctx.facts.interfaces if any(_fits(choice.by, each, one) for each in choice.values)
        ]
        having = ", ".join(f"{one.name} {' '.join(one.addresses)}".strip() for one in ctx.facts.interfaces)
        if not found:
            yield Hit(
                f"no interface is what {asked}; the host has {having}",
                "correct it, or leave it out: the interface with the node's IP is taken then",
            )
            continue
        # An interface in a network has an address of that one; others carry the pods' traffic.
        needed = set() if choice.by == "network" else families
        usable = [one for one in found if one.up and needed <= _families(one)]
        if not usable:
            names = ", ".join(one.name for one in found)
            wanted = " and ".join(f"IPv{version}" for version in sorted(needed)) or "usable"
            yield Hit(
                f"{names}, which {asked}, is down or has no {wanted} address",
                f"ip address show {found[0].name}",
            )


def _fits(by: str, value: str, interface: Interface) -> bool:
    addresses = [ipaddress.ip_interface(each) for each in interface.addresses]
    texts = (interface.name, *(str(each.ip) for each in addresses))
    if by == "name":
        return value in texts or (value.endswith("+") and interface.name.startswith(value[:-1]))
    if by == "network":
        network = ipaddress.ip_network(value)
        return any(each.ip in network for each in addresses)
    try:
        wanted = re.compile(value)
    except re.error:
        return True  # Another dialect than ours: the add-on itself will tell.
    return any(wanted.search(text) for text in texts)


def _families(interface: Interface) -> set[int]:
    return {ipaddress.ip_interface(each).version for each in interface.addresses}


CHECKS = (
    Check(
        "Distribution",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Kubernetes has packages for the system, where artifacts come as packages.",
        distribution,
        kubeadm=False,
    ),
    Check(
        "AddonCommands",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "Programs that add-ons need on the hosts are installed.",
        addon_commands,
        kubeadm=False,
    ),
    Check(
        "AddonInterfaces",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "The interface that an add-on's parameter names is there, up, and of the pods' family.",
        addon_interfaces,
        kubeadm=False,
    ),
    Check(
        "AddonSysctls",
        Severity.ERROR,
        Gate.HOST,
        NODES,
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
