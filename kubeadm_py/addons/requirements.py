"""Sum up what a cluster's add-ons need on its hosts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.model.host_needs import Command, HostRequirements, InterfaceChoice, Port


def of(addons: Iterable[ResolvedAddon]) -> HostRequirements:
    """Sum up what the hosts must have for `addons` with their parameters."""
    kernel: dict[str, tuple[str, ...]] = {}
    commands: dict[str, Command] = {}
    sysctls: dict[str, str] = {}
    ports: list[Port] = []
    interfaces: list[InterfaceChoice] = []
    cni_config = ""
    for item in addons:
        needs, values = item.addon.host_needs, dict(item.parameters)
        for need in needs.kernel:
            if need.applies(values):
                kernel[need.feature] = (*kernel.get(need.feature, ()), item.name)
        for wanted in needs.commands:
            if wanted.applies(values):
                known = commands.get(wanted.command)
                packages: dict[str, str] = dict(known.packages if known else {})
                packages |= {str(family): package for family, package in wanted.packages.items()}
                by = (*(known.addons if known else ()), item.name)
                commands[wanted.command] = Command(wanted.command, packages, by)
        sysctls.update(needs.sysctls)
        ports += [Port(port.protocol, port.number(values)) for port in needs.ports if port.applies(values)]
        interfaces += [
            InterfaceChoice(
                f"{item.name}.parameters.{each.parameter}", each.by, _texts(values[each.parameter])
            )
            for each in needs.interfaces
            if each.applies(values) and values[each.parameter]
        ]
        if item.addon.pod_network:
            cni_config = item.addon.pod_network.cni_config
    return HostRequirements(
        kernel, tuple(commands.values()), sysctls, tuple(ports), tuple(interfaces), cni_config
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
