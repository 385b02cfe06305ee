"""Take hosts back to what they were before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.kube import kubectl
from kubeadm_py.model.cluster import Node
from kubeadm_py.model.phases import CLEANUP_NODE, RESET
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan import phases
from kubeadm_py.plan.build import changes
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.plan.sources import Source
from kubeadm_py.steps import etcd_birth
from kubeadm_py.steps import reset as steps

UNNAMED = "kubernetes"
"""The name in the inventory of a host whose cluster nobody named: it tells nothing."""


@dataclass(frozen=True, slots=True)
class ResetReport:
    """Hold what a reset did; `untouched` hosts held nothing of ours."""

    plan: Plan
    changed: int
    untouched: tuple[str, ...]


def reset(
    run: Run, targets: Sequence[Node], *, keep_artifacts: bool, confirm: Callable[[Plan], bool]
) -> ResetReport | None:
    """Look, ask `confirm`, remove what each inventory lists; None where it was not confirmed.

    Hosts are handled at once and apart from each other. Where a control plane of the file stays, the removed
    hosts' Node objects are deleted there.
    """
    options = run.options
    chosen = phases.selection(RESET, options.only_phases, run.cluster.reset.skip_phases, options.skip_phases)
    if "remove-etcd-member" in chosen.only:
        raise UsageError(
            "reset takes no etcd member out of its cluster yet",
            fix="leave the phase out; the host's etcd goes with its node: reset phase cleanup-node",
        )
    run.look(targets, lock=not options.dry_run)
    names = list(run.sessions)
    _refuse_foreign(run)
    plans = []
    for name, session in run.sessions.items():
        if not chosen.wants(CLEANUP_NODE):
            continue
        actions = steps.plan(
            session.inventory,
            session.facts,
            keep_artifacts=keep_artifacts,
            unmount_flags=run.cluster.reset.unmount_flags,
        )
        if actions:
            plans.append(HostPlan(name, (PlannedStep("reset", "reset", tuple(actions)),)))
    stage = Stage("reset", "remove what the inventory lists", tuple(plans))
    plan = Plan("reset", (stage,))
    untouched = tuple(name for name in names if run.sessions[name].inventory.empty)
    if options.dry_run or stage.empty:
        return ResetReport(plan, 0, untouched)
    _warn_of_members(run)
    if not confirm(plan):
        return None
    executor = Executor(run.sessions, run.bus, {}, Source().open_images, run.interrupt, timings=run.timings)
    result = executor.run(stage)
    run.changed += sum(result.changed.values())
    gone = list(result.changed)
    _forget_nodes(run, [name for name in gone if run.cluster.node(name).ssh is not None])
    if result.errors:
        raise RunFailedError(list(result.errors.values()))
    return ResetReport(plan, changes(stage), untouched)


def _warn_of_members(run: Run) -> None:
    """Say before the question where an etcd member would stay behind in a cluster that goes on."""
    cluster = run.cluster
    staying = [node for node in cluster.control_planes if node.name not in run.sessions]
    for name, session in run.sessions.items():
        if staying and cluster.etcd.local is not None and etcd_birth.MANIFEST in session.facts.files:
            config = f" --config {run.config_name}" if run.config_name else ""
            run.warn(
                "reset alone leaves this host's etcd member in the cluster, where it costs a vote",
                name,
                f"kubeadm-py remove {name}{config}",
            )


def _refuse_foreign(run: Run) -> None:
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


def _forget_nodes(run: Run, names: list[str]) -> None:
    """Delete the Node objects on a control plane that stays; it may be gone, which is no failure."""
    staying = [node for node in run.cluster.control_planes if node.name not in run.sessions]
    if not staying or not names:
        return
    host = run.connect(staying[0])
    try:
        host.connect()
        kubectl.run(
            host,
            ["delete", "node", "--ignore-not-found", *names],
            doing=f"deleting the nodes {', '.join(names)}",
        )
    except KubeadmPyError as error:
        text = f"the Node objects of {', '.join(names)} may still be there: {error.summary}"
        run.bus.emit(Notice("warning", text, staying[0].name, f"kubectl delete node {' '.join(names)}"))
    finally:
        host.close()
