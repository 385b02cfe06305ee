"""Run `kubeadm-py logs`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import reading
from kubeadm_py.cli.verbs.errand import errand
from kubeadm_py.config.flags import at_hosts, from_init_flags
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError, worst
from kubeadm_py.facts.collect import LITTLE
from kubeadm_py.kube import logs
from kubeadm_py.kube.logs import Log
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.report.errors import format_error

MOST_LINES = 100_000
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def run(
    display: Display,
    component: str,
    config: str,
    hosts: Sequence[str],
    *,
    tail: int,
    previous: bool,
    allow_unknown_fields: bool = False,
) -> ExitCode:
    """Print the last lines of a component on all hosts that have it; the code says who was not reached."""
    if not _NAME.fullmatch(component):
        raise UsageError(f"{component!r} is no component", fix=f"one of {', '.join(logs.COMPONENTS)}, ...")
    if not 1 <= tail <= MOST_LINES:
        raise UsageError(f"--tail {tail}: a number from 1 to {MOST_LINES} is needed")
    if previous and component in logs.UNITS:
        raise UsageError(
            f"--previous: {component} is a service, whose journal goes on",
            fix="leave it out, or raise --tail",
        )
    cluster, targets = _targets(config, hosts, allow_unknown_fields=allow_unknown_fields)
    errors: tuple[KubeadmPyError, ...] = ()
    asked = logs.question(component, lines=tail, previous=previous)
    with errand("logs", cluster, config) as a_run:
        try:
            a_run.look(targets, lock=False, parts=LITTLE, also=lambda _: asked)
        except RunFailedError as failed:
            errors = failed.errors
        said = {name: logs.answers(session.output) for name, session in a_run.sessions.items()}
    found = {name: answer for name, (answer, _) in said.items() if any(log.lines for log in answer)}
    for line in _lines(found, component, several=len(targets) > 1, as_json=display.format == "json"):
        sys.stdout.write(f"{line}\n")
    if errors:
        sys.stderr.write(format_error(RunFailedError(errors)))
    if not found and said:
        raise _nothing(component, said, previous=previous)
    return worst([error.exit_code for error in errors])


def _targets(
    config: str, hosts: Sequence[str], *, allow_unknown_fields: bool
) -> tuple[ResolvedCluster, Sequence[Node]]:
    """Return the hosts: of the file, those by --host, or this very machine."""
    if not config:
        cluster = from_init_flags(hosts=hosts)
        return cluster, cluster.nodes
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    reading.tell_warnings(loaded)
    if not loaded.has_cluster_document:
        cluster = at_hosts(loaded.cluster, hosts)
        return cluster, cluster.nodes
    return loaded.cluster, reading.choose(loaded.cluster, hosts) if hosts else loaded.cluster.nodes


def _lines(
    found: Mapping[str, Sequence[Log]], component: str, *, several: bool, as_json: bool
) -> Iterator[str]:
    """Yield the lines, behind the host's name where there are several, and the pod's where it has several."""
    for host, sources in found.items():
        for log in sources:
            pod = log.source.replace("_", "/", 1)
            names = [host] if several else []
            names += [pod] if len(sources) > 1 else []
            start = f"{' '.join(names)} | " if names else ""
            for line in log.lines:
                if as_json:
                    yield json.dumps(
                        {"type": "log", "host": host, "component": component, "source": pod, "line": line}
                    )
                else:
                    yield start + line


def _nothing(
    component: str, said: Mapping[str, tuple[list[Log], list[str]]], *, previous: bool
) -> KubeadmPyError:
    known = sorted({name for _, names in said.values() for name in names})
    what = f"no {component} before the present one" if previous and component in known else f"no {component}"
    listed = [*logs.UNITS, *known]
    return KubeadmPyError(
        f"{what} has logged anything on {', '.join(filter(None, said)) or 'this machine'}",
        fix=f"there are: {', '.join(listed)}",
    )
