"""Refuse a reset of hosts that are somebody else's, and warn of what it leaves behind."""

from __future__ import annotations

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.findings import Gate
from kubeadm_py.plan import preflight
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.preflight import run as preflight_run
from kubeadm_py.preflight.checks import privilege
from kubeadm_py.steps.etcd import birth as etcd_birth

UNNAMED = "kubernetes"
"""The name in the inventory of a host whose cluster nobody named: it tells nothing."""


def check(run: Run) -> None:
    """Refuse without root, as kubeadm's preflight of reset does: its one check."""
    ignored = run.options.ignore_preflight_errors | run.cluster.reset.ignore_preflight_errors
    contexts = preflight.contexts(run, list(run.sessions), verb="join")
    found = preflight_run.run(Gate.HOST, contexts, ignore=ignored, checks=privilege.CHECKS)
    run.report_findings(found)
    preflight.refuse(found, hosts=len(contexts), gate=Gate.HOST)


def removal(run: Run, name: str) -> str:
    """Return what to type to take a member out whose host is gone."""
    if run.config_name:
        return f"kubeadm-py remove {name} --config {run.config_name}"
    return "on a control plane that lives: etcdctl member list, etcdctl member remove ID"


def warn_of_members(run: Run) -> None:
    """Say before the question where an etcd member would stay behind in a cluster that goes on."""
    cluster = run.cluster
    staying = [node for node in cluster.etcd_members if node.name not in run.sessions]
    for name, session in run.sessions.items():
        if staying and etcd_birth.MANIFEST in session.facts.files:
            run.warn(
                "this host's etcd member stays in the cluster, where it costs a vote",
                name,
                removal(run, name),
            )


def refuse_foreign(run: Run) -> None:
    """Refuse hosts that another cluster's config prepared: an old file may name addresses that moved on."""
    own = (run.cluster.name, run.cluster.cluster_name, UNNAMED, "")
    errors: list[KubeadmPyError] = [
        UsageError(
            f"this host belongs to the cluster {session.inventory.cluster}, not to {run.cluster.name}",
            host=name,
            fix=f"use that cluster's config, or name it alone: kubeadm-py reset --host {_login(session)}",
        )
        for name, session in run.sessions.items()
        if run.config_name and session.inventory.cluster not in own
    ]
    if errors:
        raise RunFailedError(errors)


def _login(session: Session) -> str:
    ssh = session.node.ssh
    return f"{ssh.user}@{ssh.host}" if ssh is not None and ssh.user else session.node.address
