"""Check that there is room on the disks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kubeadm_py.model import paths
from kubeadm_py.model.facts import Disk
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit, gibibytes

DEFAULT_THRESHOLDS = {
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}
"""The kubelet's evictionHard by default, as far as disks go."""
_PLACES = {"nodefs": paths.KUBELET_DIR, "imagefs": "/var/lib/containerd"}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(%|[KMGTPE]i?|k|)")
_UNITS = {"": 1, "k": 10**3} | {
    letter + suffix: base**power
    for power, letter in enumerate("KMGTPE", start=1)
    for suffix, base in (("", 1000), ("i", 1024))
}


def disk_space(ctx: CheckContext) -> Iterator[Hit]:
    """Compare free space and inodes with the thresholds at which the kubelet evicts pods."""
    crossed = []
    for signal, threshold in thresholds(ctx.cluster.kubelet_config).items():
        file_system, _, what = signal.partition(".")
        disk = below(ctx.facts.disks, _PLACES.get(file_system, ""))
        if disk is None or what not in ("available", "inodesFree"):
            continue
        inodes = what == "inodesFree"
        total, free = (disk.inodes_total, disk.inodes_available) if inodes else (disk.total, disk.available)
        limit = amount(threshold, total)
        if total and limit is not None and free < limit:
            shown = f"{free} of {total} inodes" if inodes else f"{gibibytes(free)} of {gibibytes(total)}"
            crossed.append(
                f"{_PLACES[file_system]} has {shown} free ({100 * free / total:.1f}%), evictionHard {signal} "
                f"is {threshold}"
            )
    if crossed:
        yield Hit(
            f"{'; '.join(crossed)}: the kubelet would evict pods at once",
            "free some space, or lower KubeletConfiguration.evictionHard",
            severity=Severity.WARNING if ctx.member else None,
        )


def thresholds(config: Mapping[str, object]) -> dict[str, str]:
    """Return the kubelet's hard eviction thresholds; naming one drops the defaults of all others."""
    given = config.get("evictionHard")
    if not isinstance(given, Mapping):
        return dict(DEFAULT_THRESHOLDS)
    merged = DEFAULT_THRESHOLDS if config.get("mergeDefaultEvictionSettings") is True else {}
    return {**merged, **{str(signal): str(value) for signal, value in given.items()}}


def amount(threshold: str, total: int) -> float | None:
    """Return a threshold (`10%`, `1Gi`, `500M`) as a number; None where it cannot be read."""
    match = _QUANTITY.fullmatch(threshold.strip())
    if match is None:
        return None
    number, unit = float(match[1]), match[2]
    return total * number / 100 if unit == "%" else number * _UNITS[unit]


def below(disks: Mapping[str, Disk], path: str) -> Disk | None:
    """Return the file system that holds `path`: the longest probed path that leads to it."""
    leading = [known for known in disks if path and (known == "/" or f"{path}/".startswith(f"{known}/"))]
    return disks[max(leading, key=len)] if leading else None


CHECKS = (
    Check(
        "DiskSpace",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The kubelet's eviction thresholds (evictionHard) are not crossed already.",
        disk_space,
        kubeadm=False,
    ),
)
