"""Run `kubeadm-py plan`: what apply would do, against the live hosts."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import reading, whole
from kubeadm_py.errors import ExitCode
from kubeadm_py.transport.connect import Approached


def run(display: Display, *, config: str, ignore: Sequence[str], allow_unknown_fields: bool) -> ExitCode:
    """Tell the plan; return DONE where the hosts are as the config says, else CHANGES."""
    loaded, ignored = whole.read("plan", config, ignore, allow_unknown_fields=allow_unknown_fields)
    cluster = loaded.cluster
    connect = Approached(cluster.nodes)
    # Loaded while the connections are made: each takes about as long as the other.
    from kubeadm_py.cli.verbs import common, plans
    from kubeadm_py.plan.cluster import apply
    from kubeadm_py.plan.run import Options, RunFailedError, running
    from kubeadm_py.report import plan_text

    options = Options(ignored, dry_run=True)
    with common.a_run("plan", cluster, display, options, config, connect=connect) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=cluster.nodes) as end:
            report = apply.apply(a_run)
            told = plans.tell(a_run, report, loaded)
            if report.unreached:
                raise RunFailedError(report.unreached)
            if told.empty:
                end.verdict = f"{cluster.name} matches {config}: nothing to do"
                return ExitCode.DONE
            end.verdict = plan_text.summary(told)
            end.next = (f"kubeadm-py apply --config {config}",)
            end.exit_code = ExitCode.CHANGES
    return ExitCode.CHANGES
