"""Find out what this machine is, as far as the lab's settings depend on it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab import paths

_CAP_SYS_RESOURCE = 24
"""The bit of the capability that lowering oom_score_adj takes (linux/capability.h)."""

_ROOM = 0.4
"""Below this share of free disk the lab's own 20 GB may cross the kubelet's thresholds (15% of imagefs)."""


@dataclass(frozen=True)
class Machine:
    """What nodes on this machine inherit from it."""

    cgroup_v1: bool
    sys_resource: bool
    short_of_disk: bool
    swap: bool
    containers: bool
    nameservers: tuple[str, ...] = ()


VIRTUAL = Machine(cgroup_v1=False, sys_resource=True, short_of_disk=False, swap=False, containers=False)
"""A virtual machine of its own, which inherits nothing."""


def detect() -> Machine:
    """Look at this very machine, whose containers the nodes are."""
    folder = paths.cache()
    folder.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(folder)
    return Machine(
        cgroup_v1=not Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        sys_resource=has_sys_resource(Path("/proc/self/status").read_text()),
        short_of_disk=disk.free / disk.total < _ROOM,
        swap=len(Path("/proc/swaps").read_text().splitlines()) > 1,
        containers=True,
        nameservers=nameservers(_resolv_conf()),
    )


def has_sys_resource(status: str) -> bool:
    """Say whether the bounding set in a /proc/PID/status holds CAP_SYS_RESOURCE."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1)
    return False


def nameservers(resolv_conf: str) -> tuple[str, ...]:
    """Return the name servers that mean the same in a node: loopback ones do not."""
    words = [line.split() for line in resolv_conf.splitlines()]
    servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple(server for server in servers if not server.startswith("127.") and server != "::1")


def _resolv_conf() -> str:
    # systemd-resolved keeps the real servers here and puts its own loopback address into /etc/resolv.conf.
    for path in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if path.is_file():
            return path.read_text()
    return ""
