"""Run `kubeadm-py reset`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import asking, common, plans, reading
from kubeadm_py.config.flags import at_hosts, from_reset_flags, ignored_by_flag
from kubeadm_py.errors import UsageError
from kubeadm_py.model.phases import PREFLIGHT
from kubeadm_py.plan.reset import hosts as reset
from kubeadm_py.plan.run import Options, running

NOTHING = "nothing that kubeadm-py or kubeadm made is there"


def run(
    display: Display,
    *,
    config: str,
    hosts: Sequence[str],
    yes: bool,
    keep_artifacts: bool,
    dry_run: bool,
    skip_phases: Sequence[str] = (),
    only_phases: tuple[str, ...] = (),
    flags: Mapping[str, Any],
    kubeconfig: str = "",
    ignore: Sequence[str] = (),
    allow_unknown_fields: bool = False,
) -> None:
    """Reset hosts of the config, all of them where none is named, or this very machine."""
    reading.refuse_mixing(config, [*flags, *(["kubeconfig"] if kubeconfig else [])])
    whole_file = False
    if config:
        loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
        reading.tell_warnings(loaded)
        whole_file = loaded.has_cluster_document
        cluster = loaded.cluster if whole_file else at_hosts(loaded.cluster, hosts, joining=True)
        targets = reading.choose(cluster, hosts) if hosts and whole_file else list(cluster.nodes)
    else:
        cluster = from_reset_flags(
            hosts=hosts, **{name.replace("-", "_"): value for name, value in flags.items()}
        )
        targets = list(cluster.nodes)
    options = Options(
        ignored_by_flag(cluster, ignore),
        tuple(skip_phases),
        dry_run or cluster.reset.dry_run,
        only_phases,
        kubeconfig,
    )
    settings = cluster.reset
    dry_run = dry_run or settings.dry_run
    # kubeadm's question is part of its phase preflight.
    yes = yes or settings.force or PREFLIGHT in (*settings.skip_phases, *skip_phases)
    # kubeadm asks nothing in its other phases; here they may be about many hosts.
    local = not config and not hosts
    yes = yes or only_phases == (PREFLIGHT,) or (local and bool(only_phases))
    # On the machine itself a pipe may answer, as kubeadm takes it.
    if not yes and not dry_run and not local and not sys.stdin.isatty():
        raise UsageError(
            "reset asks before it removes anything, and there is nobody to ask",
            fix="add --yes, or look first with --dry-run",
        )
    with (
        common.a_run("reset", cluster, display, options, config) as a_run,
        running(a_run, hosts=targets) as end,
    ):
        report = reset.reset(
            a_run,
            targets,
            reset.Wish(keep_artifacts, whole_file),
            confirm=lambda planned: yes or _ask(planned.affected),
        )
        if report is None:
            end.verdict = "nothing was removed"
        elif dry_run:
            plans.show_plan(a_run, report.plan)
            end.verdict = "nothing was removed (--dry-run)"
        elif only_phases == (PREFLIGHT,):
            there = [name for name in report.hosts if name not in report.untouched]
            found = f"a reset would clean {', '.join(there)}" if there else NOTHING
            end.verdict = f"{found}; nothing was removed"
        elif only_phases:
            end.verdict = plans.alone("reset", only_phases, report.hosts, report.changed)
        elif not report.changed:
            end.verdict = f"{', '.join(report.untouched or report.hosts)}: {NOTHING}"
        else:
            end.verdict = f"{', '.join(report.affected)} reset"


def _ask(names: Sequence[str]) -> bool:
    return asking.ask("reset", f"This removes the node and all its data from: {', '.join(names)}.")
