"""Lay out what a cluster is like: one verdict, a line a host, then what is worth a word."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kubeadm_py.engine.events import Failed
from kubeadm_py.model import typed
from kubeadm_py.model.node import Role
from kubeadm_py.model.status import ClusterStatus, HostStatus
from kubeadm_py.model.words import plural
from kubeadm_py.report import alike
from kubeadm_py.report.errors import failure, with_note
from kubeadm_py.report.text import Glyphs, advice, cut, pad, width_of, wrap

SOON_DAYS = 30
_GAP = "  "
_Column = tuple[str, Callable[[HostStatus], str], int]
"""Heading, cell, and rank: where the line is too long the highest go first."""

_COLUMNS: tuple[_Column, ...] = (
    ("NAME", lambda host: host.name, 0),
    ("ROLE", lambda host: host.role, 5),
    ("READY", lambda host: _ready(host), 0),
    ("VERSION", lambda host: host.version or "-", 2),
    ("API", lambda host: "-" if host.api is None else "ready" if host.api else "NOT ready", 1),
    ("ETCD", lambda host: host.etcd or "-", 1),
    ("PROXY", lambda host: host.proxy_mode or "-", 1),
    ("CERTS", lambda host: "-" if host.days is None else f"{host.days}d", 4),
    ("RUNTIME", lambda host: host.runtime or "-", 6),
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Say what is not well, where (no host: in the cluster), and what to type."""

    host: str
    text: str
    fix: str = ""


def lines(
    status: ClusterStatus,
    width: int | None,
    glyphs: Glyphs,
    config: str = "",
    *,
    unreached: Sequence[Failed] = (),
    exit_code: int = 0,
) -> list[str]:
    """Return the lines for people; none is wider than `width` but for a command that is to be typed.

    Commands of ours name the `config` as the operator did. `unreached` says in full why hosts were not.
    """
    wrong = troubles(status, config)
    mark = glyphs.failed if wrong else glyphs.done
    verdict = wrap(glyphs.text(_verdict(status)), width, f"{mark} ")
    found = with_note(verdict, f"(exit {exit_code})" if exit_code else "", width)
    found += ["", *_table(status, width, glyphs), ""]
    if status.workloads:
        pods = ", ".join(f"{each.name} {each.ready}/{each.wanted}" for each in status.workloads)
        found += wrap(pods, width, "  pods   ")
    found += wrap(_certificates(status), width, "  certs  ")
    for host in status.hosts:
        if host.under_way:
            found += wrap(glyphs.text(f"{host.name}: a run is under way: {host.under_way}"), width, "  ")
    silent = {event.host for event in unreached}
    for each in wrong:
        if each.host in silent:
            continue
        where = f"{each.host}: " if each.host else ""
        found += ["", *wrap(glyphs.text(each.text), width, f"  {where}", "    ")]
        if each.fix:
            found += advice(glyphs.text(each.fix), width, f"    {glyphs.arrow} ")
    for event in alike.failures(unreached):
        found += ["", *failure(event, width, glyphs, indent="  ")]
    return [line.rstrip() for line in found]


def troubles(status: ClusterStatus, config: str = "") -> list[Trouble]:
    """Return all that is not well; commands of ours name the `config`."""
    return [Trouble(*each) for each in _troubles(status, config)]


def _verdict(status: ClusterStatus) -> str:
    nodes = [host for host in status.hosts if not _runs_etcd_alone(host)]
    ready = sum(bool(host.ready) for host in nodes)
    parts = [f"{ready} of {plural(len(nodes), 'node')} Ready"]
    members = [host for host in status.hosts if host.etcd]
    if members:
        well = sum(host.etcd in ("leader", "member") for host in members)
        parts.append(f"{well} of {plural(len(members), 'etcd member')} well")
    version = f" · Kubernetes {status.version}" if status.version else ""
    return f"{status.cluster}{version} · {', '.join(parts)}"


def _table(status: ClusterStatus, width: int | None, glyphs: Glyphs) -> Iterator[str]:
    columns = list(_COLUMNS)
    cells = {heading: [glyphs.text(cell(host)) for host in status.hosts] for heading, cell, _ in columns}

    def size(heading: str) -> int:
        return max(map(width_of, [heading, *cells[heading]]))

    def total() -> int:
        return 2 + sum(size(heading) + len(_GAP) for heading, _, _ in columns) - len(_GAP)

    while width is not None and total() > width and any(rank for _, _, rank in columns):
        columns.remove(max(columns, key=lambda column: column[2]))
    for row in range(-1, len(status.hosts)):
        texts = [pad(heading if row < 0 else cells[heading][row], size(heading)) for heading, _, _ in columns]
        line = "  " + _GAP.join(texts).rstrip()
        yield line if width is None else cut(line, width, glyphs.more)


def _ready(host: HostStatus) -> str:
    if host.problem:
        return "not reached"
    if _runs_etcd_alone(host):
        return "-"
    return {None: "unknown", True: "yes", False: "NO"}[host.ready]


def _runs_etcd_alone(host: HostStatus) -> bool:
    """Say whether a host is none of the cluster's nodes."""
    return host.role == Role.ETCD.value


def _certificates(status: ClusterStatus) -> str:
    known = [host for host in status.hosts if host.days is not None]
    if not known:
        return "nothing is known of certificates"
    first = min(known, key=lambda host: host.days or 0)
    return f"the first to end is {first.certificate} on {first.name}: {first.ends[:10]}, in {first.days} days"


def _troubles(status: ClusterStatus, config: str) -> Iterator[tuple[str, str, str]]:
    """Yield (host, what is wrong, what to type)."""
    if not status.version:
        # Else each host said that the cluster does not know it.
        asked = [host.name for host in status.hosts if host.api is not None]
        look = typed.logs("kube-apiserver", asked[0], config) if asked else ""
        yield "", "no API server answers: nothing is known of nodes and pods", look
    for host in status.hosts:
        yield from _of_host(host, config, known=bool(status.version))
    for pod in status.old_pods:
        text = (
            f"{pod.name} runs with the configuration before that of {pod.changed}"
            f" (ConfigMap {pod.namespace}/{pod.config_map})"
        )
        yield pod.node, text, f"kubectl -n {pod.namespace} delete pod {pod.name}"
    short = [each for each in status.workloads if each.ready < each.wanted]
    for each in short:
        text = f"{each.name}: {each.ready} of {plural(each.wanted, 'pod')} ready"
        yield "", text, f"kubectl -n {each.namespace} get pods -o wide"
    if status.strangers:
        names = ", ".join(status.strangers)
        named = f" --config {shlex.quote(config)}" if config else ""
        yield (
            "",
            f"nodes that the file does not name: {names}",
            f"add them to the file, or: kubeadm-py remove {status.strangers[0]}{named}",
        )


def _of_host(host: HostStatus, config: str, *, known: bool) -> Iterator[tuple[str, str, str]]:
    named = f" --config {shlex.quote(config)}" if config else ""
    if host.problem:
        yield host.name, host.problem, ""
        return
    if host.unsettled and not host.under_way:
        text = "a change was cut off; the next run finishes it or takes it back"
        yield host.name, text, f"kubeadm-py apply{named}"
    if _runs_etcd_alone(host):
        if not host.etcd:
            text = "its etcd member does not answer, or is none of the cluster's"
            yield host.name, text, f"kubeadm-py etcd status{named}"
    elif host.ready is None:
        if known:
            yield host.name, "the cluster has no such node", f"kubeadm-py apply{named}"
    elif not host.ready:
        yield host.name, f"its node is not Ready: {host.why}", f"kubectl describe node {host.name}"
    if host.api is False and known:
        look = typed.logs("kube-apiserver", host.name, config)
        yield host.name, "its API server is not ready", look
    wrong = {name: how for name, how in (host.components or {}).items() if " " in how}
    if wrong and host.api is not False:
        told = ", ".join(f"{name} ({how})" for name, how in wrong.items())
        look = "\n".join(typed.logs(name, host.name, config) for name in wrong)
        yield host.name, f"not well: {told}", look
    if host.etcd not in ("", "leader", "member"):
        yield host.name, f"its etcd member: {host.etcd}", f"kubeadm-py etcd status{named}"
    if host.ready and not host.proxy_mode:
        look = typed.logs("kube-proxy", host.name, config)
        yield host.name, "kube-proxy does not say what it does", look
    if host.days is not None and host.days < SOON_DAYS:
        text = f"{host.certificate} ends in {host.days} days, on {host.ends}"
        yield host.name, text, f"kubeadm-py certs renew all{named}"
