"""Read what a probe says about interfaces, routes and listening sockets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubeadm_py.facts.answer import Answer
from kubeadm_py.model.facts import Interface, Listener

_ADDRESS = re.compile(r"^\d+: (\S+?)(?:@\S+)?\s+inet6? (\S+)")
_USER = re.compile(r'\("([^"]*)",pid=(\d+)')
_UNIT = re.compile(r"/([^/]+\.(?:service|socket|scope))(?:/|$)", re.MULTILINE)
_PROGRAM = re.compile(r"^'?/proc/(\d+)/exe'? -> '?(.*?)'?$")
_RESOLVES = "!resolves "
_NET = "/sys/class/net/"
_DIGITS = 10
"""More than a number of the kernel's has here."""


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """Hold where packets to the rest of the world leave; both empty where there is no such route."""

    interface: str = ""
    source: str = ""


def read_interfaces(answer: Answer) -> tuple[Interface, ...]:
    """Return the interfaces with their global addresses; pods' own ends are left out by the probe."""
    addresses: dict[str, list[str]] = {}
    for line in answer.lines("!addresses"):
        match = _ADDRESS.match(line)
        if match:
            addresses.setdefault(match[1], []).append(match[2])
    names = [
        path.removeprefix(_NET).removesuffix("/uevent")
        for path in answer.sections
        if path.startswith(_NET) and path.endswith("/uevent")
    ]
    return tuple(
        Interface(
            name=name,
            kind=_properties(answer.text(f"{_NET}{name}/uevent")).get("DEVTYPE", ""),
            up=answer.line(f"{_NET}{name}/operstate") != "down",
            addresses=tuple(addresses.get(name, ())),
            mtu=_number(answer.line(f"{_NET}{name}/mtu")),
        )
        for name in dict.fromkeys([*names, *addresses])
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 0


def read_default_route(answer: Answer, interfaces: tuple[Interface, ...]) -> DefaultRoute:
    """Return the default route of the lowest metric, IPv4 before IPv6, with its source address."""
    routes: list[tuple[int, DefaultRoute]] = []
    for line in answer.lines("!routes"):
        words = line.split()
        if not words or words[0] != "default" or "dev" not in words:
            continue
        options = dict(zip(words[1::2], words[2::2], strict=False))
        if "dev" in options:
            metric = options.get("metric", "0")
            route = DefaultRoute(options["dev"], options.get("src", ""))
            v6 = ":" in options.get("via", "")
            routes.append((int(metric) + (1 << 33 if v6 else 0) if metric.isdecimal() else 0, route))
    if not routes:
        return DefaultRoute()
    best = min(routes, key=lambda pair: pair[0])[1]
    if best.source:
        return best
    for interface in interfaces:
        if interface.name == best.interface and interface.addresses:
            return DefaultRoute(best.interface, interface.addresses[0].partition("/")[0])
    return best


def read_listeners(answer: Answer) -> tuple[Listener, ...]:
    """Return who listens where; a socket of several processes names the first."""
    units = {
        path.split("/")[2]: _unit_of(text)
        for path, text in answer.sections.items()
        if path.startswith("/proc/") and path.endswith("/cgroup")
    }
    programs = {
        match[1]: match[2]
        for match in (_PROGRAM.match(line.strip()) for line in answer.lines("!programs"))
        if match
    }
    listeners: list[Listener] = []
    for line in answer.lines("!listeners"):
        fields = line.split(None, 5)
        if len(fields) < 5:
            continue
        address, _, port = fields[4].rpartition(":")
        if not port.isdecimal():
            continue
        user = _USER.search(fields[5]) if len(fields) > 5 else None
        pid = user[2] if user else ""
        listeners.append(
            Listener(
                protocol=fields[0],
                address=address.partition("%")[0].strip("[]"),
                port=int(port),
                process=user[1] if user else "",
                pid=int(pid or 0),
                unit=units.get(pid, ""),
                executable=programs.get(pid, "").removesuffix(" (deleted)"),
            )
        )
    return tuple(listeners)


def read_resolved(answer: Answer) -> dict[str, tuple[str, ...]]:
    """Return the names that the probe resolved -> their addresses, each once."""
    return {
        section.removeprefix(_RESOLVES): tuple(
            dict.fromkeys(line.split()[0] for line in answer.lines(section))
        )
        for section in answer.sections
        if section.startswith(_RESOLVES)
    }


def _unit_of(cgroup: str) -> str:
    units = _UNIT.findall(cgroup)
    return units[-1] if units else ""


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}
