"""Read what a probe says about the kernel, the machine and its services."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubeadm_py.facts.answer import Answer
from kubeadm_py.model import kernel
from kubeadm_py.model.facts import UnitFact

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i386": "386",
    "i686": "386",
    "loongarch64": "loong64",
}
_CAP_SYS_RESOURCE = 24
_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+)(-(?:alpha|beta|rc)[0-9.]*)?")
_MISSING = re.compile(r"Module (\S+) not found")


def read_architecture(answer: Answer) -> str:
    """Return the machine's architecture as Go names it."""
    machine = answer.line("!architecture")
    return _ARCHITECTURES.get(machine, machine or "amd64")


def read_status(answer: Answer) -> dict[str, str]:
    """Return the fields of the probe's own /proc/self/status."""
    pairs = (line.partition(":") for line in answer.lines("/proc/self/status"))
    return {key: value.strip() for key, _, value in pairs}


def read_uid(status: Mapping[str, str]) -> int:
    """Return the effective user id; 0 where it is unknown."""
    ids = status.get("Uid", "").split()
    return int(ids[1]) if len(ids) > 1 and ids[1].isdecimal() else 0


def read_cpus(status: Mapping[str, str]) -> int:
    """Count the CPUs that a process may use, as Go's NumCPU does."""
    mask = status.get("Cpus_allowed", "").replace(",", "")
    return int(mask, 16).bit_count() if re.fullmatch(r"[0-9a-f]+", mask) else 0


def may_raise_limits(status: Mapping[str, str]) -> bool:
    """Say whether root has CAP_SYS_RESOURCE there."""
    mask = status.get("CapBnd", "")
    return not re.fullmatch(r"[0-9a-f]+", mask) or bool(int(mask, 16) >> _CAP_SYS_RESOURCE & 1)


def read_memory(answer: Answer) -> int:
    """Return the total memory in bytes; 0 where it is unknown."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", answer.text("/proc/meminfo"), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def read_swaps(answer: Answer) -> tuple[str, ...]:
    """Return the devices and files that the kernel swaps to."""
    return tuple(line.split()[0] for line in answer.lines("/proc/swaps")[1:])


def read_assignments(text: str) -> dict[str, str]:
    """Read `NAME=value` lines as /etc/os-release has them; quotes are taken off."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def read_kernel_config(answer: Answer) -> dict[str, str]:
    """Return the options (with CONFIG_) that are set to y or m; empty where the config is not readable."""
    pairs = (line.partition("=") for line in answer.lines("!kernel-config"))
    return {name: value for name, _, value in pairs}


def read_features(answer: Answer, config: Mapping[str, str]) -> frozenset[str]:
    """Return the modules that work now: loaded, or built into the kernel."""
    exists = set(answer.lines("!exists"))
    loaded = {line.split()[0] for line in answer.lines("/proc/modules")}
    loaded |= {path.removeprefix("/sys/module/") for path in exists if path.startswith("/sys/module/")}
    loaded |= {line.split()[-1] for line in answer.lines("/proc/filesystems")}
    built_in = {
        name for name, option in kernel.MODULE_OPTIONS.items() if config.get(f"CONFIG_{option}") == "y"
    }
    traces = {
        "br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables",
        "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
        "ip_vs": "/proc/net/ip_vs",
    }
    return frozenset(loaded | built_in | {name for name, path in traces.items() if path in exists})


def read_loadable(answer: Answer, features: frozenset[str]) -> frozenset[str]:
    """Return the modules that modprobe would find and that do not work yet."""
    if "!modules-missing" not in answer.sections:
        return frozenset()
    missing = set(_MISSING.findall(answer.text("!modules-missing")))
    return frozenset(set(kernel.MODULE_OPTIONS) - missing - features)


def read_cgroups(answer: Answer) -> tuple[int, frozenset[str]]:
    """Return the version of the cgroup hierarchy and its controllers."""
    if "/sys/fs/cgroup/cgroup.controllers" in answer.sections:
        controllers = set(answer.text("/sys/fs/cgroup/cgroup.controllers").split())
        if any(path.endswith("/cgroup.freeze") for path in answer.lines("!exists")):
            controllers.add("freezer")
        return 2, frozenset(controllers)
    rows = [line.split() for line in answer.lines("/proc/cgroups") if not line.startswith("#")]
    enabled = frozenset(row[0] for row in rows if len(row) == 4 and row[3] == "1")
    return (1, enabled) if rows else (2, frozenset())


def read_units(answer: Answer) -> dict[str, UnitFact]:
    """Return the units that systemd could be asked about, also those that do not exist (`not-found`)."""
    units: dict[str, UnitFact] = {}
    for block in answer.text("!units").split("\n\n"):
        fields = read_assignments(block)
        name = fields.get("Id", "")
        if name:
            units[name] = UnitFact(
                name=name,
                load_state=fields.get("LoadState", ""),
                active_state=fields.get("ActiveState", ""),
                enabled=fields.get("UnitFileState", ""),
                sub_state=fields.get("SubState", ""),
            )
    return units


def read_versions(answer: Answer) -> dict[str, str]:
    """Return tool -> `vX.Y.Z`, cleaned of a distribution's own suffixes."""
    versions: dict[str, str] = {}
    for name, text in answer.sections.items():
        if name.startswith("!version "):
            match = _VERSION.search(text)
            if match:
                versions[name.removeprefix("!version ")] = f"v{match[1]}{match[2] or ''}"
    return versions
