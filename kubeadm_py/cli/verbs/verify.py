"""Run `kubeadm-py verify`."""

from __future__ import annotations

import sys
from json import dumps, loads
from pathlib import Path

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import reading
from kubeadm_py.cli.verbs.errand import errand, reachable
from kubeadm_py.errors import ExitCode, UsageError
from kubeadm_py.model.node import Node
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.connect import host_for
from kubeadm_py.verify.checks import Level
from kubeadm_py.verify.report import CheckResult, summary, to_json
from kubeadm_py.verify.run import verify


def run(
    display: Display,
    *,
    config: str,
    level: str,
    read_only: bool,
    junit: str,
    json: str,
    allow_unknown_fields: bool = False,
) -> ExitCode:
    """Verify the config's cluster and report."""
    levels = [each.value for each in Level]
    if level not in levels:
        raise UsageError(f"--level {level!r}: one of {', '.join(levels)}")
    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    progress = _Progress(sys.stderr.isatty() and display.format == "text")
    with errand("verify", cluster, config) as run:
        reachable(run, cluster.nodes)

        def open_host(node: Node) -> Host:
            # A host that could not be reached is asked again, and its error becomes a check's result.
            session = run.sessions.get(node.name)
            return session.host if session else host_for(node)

        report = verify(
            cluster,
            level=level,
            read_only=read_only,
            junit=Path(junit) if junit else None,
            json=Path(json) if json else None,
            hosts=open_host,
            on_result=progress.tell,
        )
    progress.end()
    if display.format == "json":
        # One object a line, as with every verb.
        sys.stdout.write(dumps({"type": "verify", **loads(to_json(report))}) + "\n")
    else:
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.write("\n".join(summary(report, unicode=unicode)) + "\n")
    return report.exit_code


class _Progress:
    """Show on a terminal which check came last."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._count = 0

    def tell(self, result: CheckResult) -> None:
        self._count += 1
        if self._wanted:
            sys.stderr.write(f"\r\x1b[K  {self._count} checks, last: {result.check}"[:76])
            sys.stderr.flush()

    def end(self) -> None:
        if self._wanted:
            sys.stderr.write("\r\x1b[K")
