"""Run `kubeadm-py init`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import reading, secrets_given
from kubeadm_py.cli.verbs.node_name import renamed
from kubeadm_py.config.complete import complete
from kubeadm_py.config.flags import at_hosts, from_init_flags, ignored_by_flag
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.phases import SHOW_JOIN_COMMAND
from kubeadm_py.model.secret import Secret
from kubeadm_py.transport.connect import Approached

if TYPE_CHECKING:
    from kubeadm_py.plan.init import InitReport
    from kubeadm_py.plan.run import Run, RunEnd


def run(
    display: Display,
    *,
    config: str,
    hosts: Sequence[str],
    flags: Mapping[str, Any],
    ignore: Sequence[str],
    skip_phases: Sequence[str],
    only_phases: Sequence[str] = (),
    kubeconfig: str = "",
    print_manifest: bool = False,
    dry_run: bool,
    upload_certs: bool = False,
    print_certificate_key: bool = True,
    allow_unknown_fields: bool,
) -> None:
    """Bring up the first control plane of the config, or the one that flags describe."""
    reading.refuse_mixing(config, [name.replace("_", "-") for name in flags])
    loaded: Loaded | None = None
    if config:
        loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
        cluster = renamed(loaded, flags.get("node_name", ""))
        if not loaded.has_cluster_document:
            cluster = at_hosts(cluster, hosts)
        elif hosts:
            _only_the_first(cluster, hosts)
    else:
        cluster = from_init_flags(hosts=hosts, **secrets_given.read(flags, "certificate_key"))
    ignored = ignored_by_flag(cluster, ignore)
    dry_run = dry_run or cluster.init_dry_run
    connect = Approached(cluster.control_planes)
    # Loaded while the connections are made: each takes about as long as the other.
    from kubeadm_py.cli.verbs import common, plans
    from kubeadm_py.plan import init
    from kubeadm_py.plan.run import Options, running

    options = Options(
        ignored, tuple(skip_phases), dry_run, tuple(only_phases), kubeconfig, upload_certs=upload_certs
    )
    with common.a_run("init", cluster, display, options, config, connect=connect) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=cluster.control_planes[:1]) as end:
            fill_in = None if loaded and loaded.has_cluster_document else complete
            if print_manifest:
                plans.show_objects(init.objects(a_run, complete=fill_in))
                end.verdict = "nothing was changed (--print-manifest)"
                return
            report = init.init(a_run, complete=fill_in)
            if dry_run:
                end.verdict = plans.show_plan(a_run, report.plan)
                return
            if only_phases and SHOW_JOIN_COMMAND not in only_phases:
                end.verdict = plans.alone("init", only_phases, list(a_run.sessions)[:1], report.changed)
            else:
                init.describe_pending(a_run, report)
                _conclude(a_run, end, report, config if loaded and loaded.has_cluster_document else "")
    if report.certificate_key is not None and print_certificate_key:
        _print_key(display, report.certificate_key)


def _print_key(display: Display, key: Secret) -> None:
    """Print the certificate key: to the terminal only, never as an event, for events are logged."""
    stream = sys.stderr if display.format == "json" else sys.stdout
    stream.write(f"[upload-certs] Using certificate key:\n{key.text()}\n")


def _only_the_first(cluster: ResolvedCluster, hosts: Sequence[str]) -> None:
    first = cluster.control_planes[0].name if cluster.control_planes else ""
    if list(hosts) != [first]:
        raise UsageError(
            f"init brings up the first control plane of the file, {first}; --host names {', '.join(hosts)}",
            fix="leave --host out; workers follow with kubeadm-py join",
        )


def _conclude(run: Run, end: RunEnd, report: InitReport, config: str) -> None:
    name = run.cluster.control_planes[0].name
    if report.changed == 0:
        end.verdict = f"{name} matches {config or 'what was asked for'}: nothing changed"
    else:
        end.verdict = f"the control plane on {name} is up"
    following: list[str] = []
    if config:
        others = " ".join(f"--host {node.name}" for node in run.cluster.nodes if node.name != name)
        if others and report.changed:
            following.append(f"kubeadm-py join --config {config} {others}")
        following += [
            f"export KUBECONFIG=$(kubeadm-py kubeconfig get --config {config} --path)",
            "kubectl get nodes",
            f"kubeadm-py verify --config {config}",
        ]
    else:
        following += ["export KUBECONFIG=/etc/kubernetes/admin.conf", "kubectl get nodes"]
        following.append("kubeadm-py token create --print-join-command")
    if SHOW_JOIN_COMMAND not in run.cluster.init_skip_phases:
        end.next = tuple(following)
