"""Show a plan to people: hosts that are alike once, what changes, why, and what goes down for a moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubeadm_py.engine.events import Planned
from kubeadm_py.model import diffs
from kubeadm_py.model.changes import Change, HostChanges, Sign
from kubeadm_py.model.words import plural
from kubeadm_py.report.text import Glyphs, cut, width_of, wrap

_DIFF_LINES = 40
"""Changed lines of one file that are shown; -v shows all."""
_TOGETHER = 4
"""New files of one directory from which they share a line."""
_SUBJECTS = 60
"""Columns after which a reason does not stand beside its subject any more."""
OBJECTS = "cluster objects"
_WHOLE = ("changed", "deleted", "removed", "its ", "it ", "not ", "of ")
"""How reasons begin that read well without a `because`."""


def lines(plan: Planned, width: int | None, glyphs: Glyphs, *, verbose: bool = False) -> Iterator[str]:
    """Yield a plan's lines; `verbose` leaves nothing out."""
    if plan.empty:
        return
    number, all_of_them = len(plan.hosts), len(plan.considered)
    yield from wrap(
        f"{number} of {plural(all_of_them, 'host')} would change, nothing is touched by this command", width
    )
    for hosts, body in _alike(plan, width, glyphs, verbose=verbose):
        turn = [name for name in hosts if name in plan.in_turn]
        note = " (one after the other)" if len(turn) > 1 else ""
        yield ""
        yield from wrap(glyphs.text(", ".join(hosts)) + note, width)
        yield from body
    if plan.objects:
        yield ""
        yield OBJECTS
        yield from _changes(plan.objects, width, glyphs, verbose=verbose)


def summary(plan: Planned) -> str:
    """Return what a plan comes to, in one line."""
    counts: dict[str, int] = {}
    for host in plan.hosts:
        for name in host.restarts:
            counts[name] = counts.get(name, 0) + 1
    parts = [
        f"{plural(count, 'restart')} of {name}" if count > 1 else f"1 restart of {name}"
        for name, count in counts.items()
    ]
    changed = [change for host in plan.hosts for change in host.changes if not change.own]
    for kind, (one, many) in _NOUNS.items():
        number = sum(change.kind == kind for change in (*changed, *plan.objects))
        if number:
            parts.append(f"1 {one}" if number == 1 else f"{number} {many}")
    drifted = sum(change.sign is Sign.DRIFT for change in (*changed, *plan.objects))
    text = ", ".join(parts) or "nothing but kubeadm-py's own notes"
    return f"{text}; {drifted} changed by hand" if drifted else text


_NOUNS = {
    "file": ("file", "files"),
    "directory": ("directory", "directories"),
    "unit": ("unit", "units"),
    "setting": ("setting", "settings"),
    "script": ("command", "commands"),
    "member": ("etcd member", "etcd members"),
    "images": ("set of images", "sets of images"),
    "object": ("object", "objects"),
    "node": ("node's labels or taints", "nodes' labels or taints"),
}
"""Kind -> what one and several of it are called."""


def _alike(
    plan: Planned, width: int | None, glyphs: Glyphs, *, verbose: bool
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (hosts, lines): hosts that would show the same share them."""
    found: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for host in plan.hosts:
        body = tuple(_host(host, width, glyphs, verbose=verbose))
        found.setdefault((host.host in plan.in_turn, body), []).append(host.host)
    for (_, body), hosts in found.items():
        yield hosts, list(body)


def _host(host: HostChanges, width: int | None, glyphs: Glyphs, *, verbose: bool) -> Iterator[str]:
    shown = [change for change in host.changes if verbose or not change.own]
    yield from _changes(shown, width, glyphs, verbose=verbose)
    if not shown:
        yield "  * kubeadm-py's own notes"
    if host.restarts:
        yield from wrap(f"restarts {', '.join(host.restarts)}", width, "    ", "      ")


def _changes(changes: Sequence[Change], width: int | None, glyphs: Glyphs, *, verbose: bool) -> Iterator[str]:
    together = {} if verbose else _together(changes)
    said: set[str] = set()
    beside = [
        width_of(change.subject) for change in changes if change.because and change.subject not in together
    ]
    column = min(max(beside, default=0), _SUBJECTS) + 6
    for change in changes:
        folder = together.get(change.subject)
        if folder is None:
            yield from _change(change, column, width, glyphs, verbose=verbose)
        elif folder not in said:
            said.add(folder)
            among = [each for each in changes if together.get(each.subject) == folder]
            yield from _new(folder, among, width, glyphs)


def _together(changes: Sequence[Change]) -> dict[str, str]:
    """Return what is new and shares a line: subject -> the directory of files, what objects are of."""
    groups: dict[str, list[str]] = {}
    for change in changes:
        if change.sign is Sign.ADD and change.kind in ("file", "object"):
            group = change.subject.rpartition("/")[0] + "/" if change.kind == "file" else change.because
            groups.setdefault(group, []).append(change.subject)
    return {subject: group for group, among in groups.items() if len(among) >= _TOGETHER for subject in among}


def _new(group: str, among: Sequence[Change], width: int | None, glyphs: Glyphs) -> Iterator[str]:
    if among[0].kind == "object":
        names, title = [change.subject for change in among], f"{len(among)} objects {group}"
    else:
        names = [change.subject.rpartition("/")[2] for change in among]
        size = sum(change.size for change in among)
        title = f"{group}  {len(among)} files" + (f", {_bytes(size)}" if size else "")
    yield from wrap(title, width, "  + ", "      ")
    yield from wrap(glyphs.text(", ".join(names)), width, "      ")


def _bytes(size: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000  # type: ignore[assignment]  # shown only
    return f"{size:.1f} GB"


def _change(
    change: Change, column: int, width: int | None, glyphs: Glyphs, *, verbose: bool
) -> Iterator[str]:
    subject = glyphs.text(change.subject)
    first = f"  {change.sign} {subject}"
    reason = glyphs.text(change.because)
    if reason and not change.because.startswith(_WHOLE):
        reason = f"because {reason}"
    aside = first + " " * max(column - width_of(first), 2) + reason
    if reason and (width is None or width_of(aside) <= width):
        yield aside
    else:
        yield from wrap(first.strip(), width, "  ", "      ")
        if reason:
            yield from wrap(reason, width, "      ")
    # What is all new has its size and no more to tell; -v shows its text.
    new = change.sign is Sign.ADD or change.size > 0
    if change.kind == "images":
        if verbose:
            for detail in change.details:
                yield from wrap(glyphs.text(detail), width, "      ")
    elif not new:
        for detail in change.details:
            yield from wrap(glyphs.text(detail), width, "      ", "        ")
    if not new or verbose:
        yield from _diff(change.diff, width, glyphs, verbose=verbose)


def _diff(diff: str, width: int | None, glyphs: Glyphs, *, verbose: bool) -> Iterator[str]:
    shown = diffs.compact(diff)
    kept = shown if verbose or len(shown) <= _DIFF_LINES else shown[: _DIFF_LINES - 10]
    for line in kept:
        text = "      " + glyphs.text(line)
        yield text if width is None else cut(text, width, glyphs.more)
    if len(kept) < len(shown):
        yield f"      {glyphs.more} {len(shown) - len(kept)} more lines: -v shows them"
