"""Show where the time went: per stage and host, the slowest named."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.engine.events import Timing
from kubeadm_py.report.text import cut, duration, pad, width_of

_MOST_HOSTS = 20
"""Above this the table shows each stage's slowest host instead of every host."""


def slowest(timings: Sequence[Timing]) -> Timing | None:
    """Return the longest single part of a run; None where there is nothing to compare."""
    return max(timings, key=lambda timing: timing.seconds, default=None)


def table(timings: Sequence[Timing], width: int | None, order: Sequence[str] = ()) -> list[str]:
    """Return the closing table: a line a host and a column a stage; a line a stage where that is too wide.

    A stage that ran more than once counts as a whole. Hosts stand in `order`, others after them as they come.
    """
    sums: dict[tuple[str, str], float] = {}
    for timing in timings:
        sums[timing.stage, timing.host] = sums.get((timing.stage, timing.host), 0.0) + timing.seconds
    stages = list(dict.fromkeys(stage for stage, _ in sums))
    timed = {host for _, host in sums}
    hosts = list(dict.fromkeys([host for host in (*order, *(host for _, host in sums)) if host in timed]))
    if not sums:
        return []
    grid = _grid(sums, stages, hosts)
    fits = width is None or max(map(width_of, grid)) <= width
    return grid if fits and len(hosts) <= _MOST_HOSTS else _by_stage(sums, stages, width)


def _grid(sums: dict[tuple[str, str], float], stages: list[str], hosts: list[str]) -> list[str]:
    names = max(width_of(host) for host in [*hosts, "time"])
    columns = [max(width_of(stage), 6) for stage in stages]
    lines = ["  " + pad("time", names) + _cells(stages, columns) + "   total"]
    for host in hosts:
        spent = [sums.get((stage, host)) for stage in stages]
        cells = ["" if one is None else duration(one) for one in spent]
        total = duration(sum(one for one in spent if one is not None))
        lines.append("  " + pad(host, names) + _cells(cells, columns) + f"  {total:>6}")
    return lines


def _cells(cells: list[str], columns: list[int]) -> str:
    return "".join(
        "  " + " " * (size - width_of(cell)) + cell for cell, size in zip(cells, columns, strict=True)
    )


def _by_stage(sums: dict[tuple[str, str], float], stages: list[str], width: int | None) -> list[str]:
    names = max(width_of(stage) for stage in [*stages, "stage"])
    lines = ["  " + pad("stage", names) + "    time  slowest host"]
    for stage in stages:
        seconds, host = max((spent, host) for (of, host), spent in sums.items() if of == stage)
        lines.append(f"  {pad(stage, names)}  {duration(seconds):>6}  {host}")
    return lines if width is None else [cut(line, width, "...") for line in lines]
