"""Run `kubeadm-py remove`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import asking, common, plans, reading
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.errors import UsageError
from kubeadm_py.model.node import Node, Role
from kubeadm_py.plan.leaving import remove
from kubeadm_py.plan.run import Options, running


def run(
    display: Display,
    *,
    config: str,
    names: Sequence[str],
    force: bool,
    drain_timeout: str,
    keep_artifacts: bool,
    yes: bool,
    dry_run: bool,
    allow_unknown_fields: bool = False,
) -> None:
    """Remove hosts from the config's cluster."""
    try:
        deadline = parse_duration(drain_timeout)
    except ValueError as error:
        raise UsageError(f"--drain-timeout {drain_timeout!r}: {error}", fix="write it like 5m0s") from error
    if deadline < timedelta(seconds=1):
        raise UsageError(
            f"--drain-timeout {drain_timeout!r}: a drain takes at least a second", fix="write it like 5m0s"
        )
    cluster = reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)
    if not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError(
            "remove asks before it removes anything, and there is nobody to ask",
            fix="add --yes, or look first with --dry-run",
        )
    known = {node.name: node for node in cluster.nodes}
    hosts = [known.get(name) or Node(name, Role.WORKER, ()) for name in names]
    wish = remove.Wish(tuple(dict.fromkeys(names)), force, deadline, keep_artifacts)
    with (
        common.a_run("remove", cluster, display, Options(dry_run=dry_run), config) as a_run,
        running(a_run, hosts=hosts) as end,
    ):
        question = f"This removes from the cluster, with all data on them: {', '.join(wish.names)}."
        report = remove.remove(a_run, wish, confirm=lambda _plan: yes or asking.ask("remove", question))
        if report is None:
            end.verdict = "nothing was removed"
        elif dry_run:
            end.verdict = plans.show_plan(a_run, report.plan)
        elif not report.changed:
            end.verdict = f"{', '.join(wish.names)}: no part of the cluster, nothing to remove"
        else:
            end.verdict = f"{', '.join(wish.names)} removed"
            if report.unreached:
                end.verdict += f"; {', '.join(report.unreached)} could not be reached and keeps what is on it"
            still = [name for name in wish.names if name in known]
            if still:
                end.next = (f"take {', '.join(still)} out of {config}, unless it is to join again",)
