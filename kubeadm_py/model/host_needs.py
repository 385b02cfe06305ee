"""Say what the add-ons of a cluster need on its hosts: preparation sets it, preflight looks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Port:
    """Name a port that nodes reach each other on."""

    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Command:
    """Name a program, the packages that bring it by family of systems, and the add-ons that need it."""

    name: str
    packages: Mapping[str, str]
    addons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InterfaceChoice:
    """Hold how an add-on's parameter chooses an interface of each node."""

    parameter: str
    """As the config names it: `flannel.parameters.iface`."""
    by: str
    """`name` (or address; a name may end in +, any rest), `expression` (over both) or `network`."""
    values: tuple[str, ...]
    """Each node needs an interface that is one of them."""


@dataclass(frozen=True, slots=True)
class HostRequirements:
    """List what the add-ons of a cluster need on its hosts: name -> the add-ons that need it."""

    kernel: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commands: tuple[Command, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    interfaces: tuple[InterfaceChoice, ...] = ()
    cni_config: str = ""
    """The file in /etc/cni/net.d that the cluster's pod network writes; empty where nobody knows."""


PROBED_COMMANDS = ("mount.nfs", "iscsiadm", "glusterfs", "mount.glusterfs", "cryptsetup", "lvm")
"""Programs that add-ons may ask for, beside those that every host is asked for."""
