"""Run `kubeadm-py apply`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import asking, reading, whole
from kubeadm_py.errors import UsageError
from kubeadm_py.transport.connect import Approached

if TYPE_CHECKING:
    from kubeadm_py.plan.cluster.apply import ApplyReport
    from kubeadm_py.plan.run import Run, RunEnd


def run(
    display: Display,
    *,
    config: str,
    ignore: Sequence[str],
    dry_run: bool,
    prune: bool = False,
    yes: bool = False,
    allow_unknown_fields: bool,
) -> None:
    """Bring the whole cluster to what the config says."""
    if prune and not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError(
            "--prune asks before it removes anything, and there is nobody to ask",
            fix="add --yes, or look first with --dry-run",
        )
    loaded, ignored = whole.read("apply", config, ignore, allow_unknown_fields=allow_unknown_fields)
    cluster = loaded.cluster
    dry_run = dry_run or cluster.init_dry_run or cluster.join_dry_run
    connect = Approached(cluster.nodes)
    # Loaded while the connections are made: each takes about as long as the other.
    from kubeadm_py.cli.verbs import common
    from kubeadm_py.plan.cluster import apply
    from kubeadm_py.plan.run import Options, RunFailedError, running

    with common.a_run(
        "apply", cluster, display, Options(ignored, (), dry_run, prune=prune), config, connect=connect
    ) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=cluster.nodes) as end:
            report = apply.apply(a_run, prune=_confirm(yes) if prune else None)
            if report.dropped and not prune:
                a_run.warn(
                    f"{', '.join(report.dropped)}: in the cluster, and no more in {config}",
                    fix=f"kubeadm-py addon remove {' '.join(report.dropped)} --config {config}"
                    "     or apply with --prune",
                )
            if dry_run:
                from kubeadm_py.cli.verbs import plans

                end.verdict = plans.verdict(plans.tell(a_run, report, loaded))
            if report.unreached:
                raise RunFailedError(report.unreached)
            if not dry_run:
                _conclude(a_run, end, report, config)
            if report.moved_to and not dry_run:
                _follow(a_run, report)


def _follow(run: Run, report: ApplyReport) -> None:
    """Let the operator's own kubeconfig go with the endpoint."""
    from kubeadm_py.cli.verbs import kubeconfig

    kept = kubeconfig.follow(run.cluster, run.sessions[report.leader].host)
    if kept is not None:
        run.say(f"{kept} goes by {report.moved_to} now")


def _confirm(yes: bool) -> Callable[[Sequence[str]], bool]:
    def confirm(names: Sequence[str]) -> bool:
        question = f"The config does not name them: this removes, with all data on them: {', '.join(names)}."
        return yes or asking.ask("remove", question)

    return confirm


def _conclude(run: Run, end: RunEnd, report: ApplyReport, config: str) -> None:
    cluster = run.cluster
    if not run.changed:
        files = sum(len(session.inventory.files) for session in run.sessions.values())
        end.verdict = (
            f"{cluster.name} matches {config}: {_count(len(cluster.nodes), 'host')}, {files} files of ours, "
            "nothing changed"
        )
    elif report.removed:
        end.verdict = f"{cluster.name} is as {config} says; removed: {', '.join(report.removed)}"
    elif report.founded:
        end.verdict = f"{cluster.name} is up: {_members(run)}"
    elif report.joined:
        is_or_are = "is" if len(report.joined) == 1 else "are"
        end.verdict = f"{', '.join(report.joined)} joined {cluster.name} and {is_or_are} Ready"
    else:
        end.verdict = f"{cluster.name} is as {config} says"
    end.next = (
        f"export KUBECONFIG=$(kubeadm-py kubeconfig get --config {config} --path)",
        "kubectl get nodes",
        f"kubeadm-py verify --config {config}",
    )


def _members(run: Run) -> str:
    cluster = run.cluster
    parts = [_count(len(cluster.control_planes), "control plane")]
    if len(cluster.etcd_members) > 1 or cluster.etcd.members is not None:
        parts.append(_count(len(cluster.etcd_members), "etcd member"))
    if cluster.workers:
        parts.append(_count(len(cluster.workers), "worker"))
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
