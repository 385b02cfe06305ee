"""Join workers to a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeadm_py.errors import UsageError
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.phases import JOIN
from kubeadm_py.plan import phases
from kubeadm_py.plan.artifacts.sources import open_for
from kubeadm_py.plan.joining import leader as leaders
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.workflows import JOIN_CONTROL_PLANE, JOIN_WORKER

if TYPE_CHECKING:
    from kubeadm_py.plan.certificates.producers import Adopt, Complete
    from kubeadm_py.plan.joining.hosts import JoinReport


def join(
    run: Run,
    targets: Sequence[Node],
    *,
    complete: Complete | None = None,
    adopt: Adopt | None = None,
    discovery_file: bytes | None = None,
) -> JoinReport:
    """Look, find the cluster, prepare, start the kubelets, wait until their nodes are Ready; all at once.

    Three round trips to a worker, two to a control plane of the file, the first that answers. Without one
    that does not join itself the discovery of the config is used. `adopt` reads the live
    ClusterConfiguration, which joining control planes follow. Raise RunFailedError that names every host
    that failed.
    """
    apart = [node.name for node in targets if node.role is Role.ETCD]
    if apart:
        raise UsageError(
            f"{', '.join(apart)}: a host of role etcd is no node that joins",
            fix=f"kubeadm-py apply --config {run.config_name or 'FILE'}     (it lets the member in)",
        )
    source = open_for(run)
    options = run.options
    chosen = phases.selection(JOIN, options.only_phases, run.cluster.join_skip_phases, options.skip_phases)
    phases.refuse_idle("join", JOIN, chosen, JOIN_WORKER, JOIN_CONTROL_PLANE)
    run.use(replace(run.cluster, join_skip_phases=chosen.skipped))
    now = datetime.now(UTC)
    names = [node.name for node in targets]
    helpers = [node for node in run.cluster.control_planes if node.name not in names]
    errand = leaders.Errand(run, helpers, names, now) if helpers else None

    def load() -> None:
        """Load what comes after the look, which takes as long as hosts to answer."""
        from kubeadm_py.plan.joining import hosts as joining

        joining.preload()
        if not run.options.dry_run:
            run.bus.emit(joining.stages(errand is not None, alone=bool(chosen.only)))

    try:
        run.look(targets, lock=not run.options.dry_run, meanwhile=load)
        from kubeadm_py.plan.joining.hosts import Joining

        if complete is not None:
            run.use(complete(run.cluster, {name: session.facts for name, session in run.sessions.items()}))
        work = Joining(run, source, list(run.sessions), now, adopt, phases=chosen)
        through = work.phases_alone if chosen.only else work.through
        if errand is None:
            return through(None, discovery_file)
        run.interrupt.check()
        leader = errand.leader(
            mint=chosen.wants("kubelet-start") and not work.all_members() and not run.options.dry_run
        )
    finally:
        if errand is not None:
            errand.forget()
    try:
        return through(leader, discovery_file)
    finally:
        # Finished or not, the minted token goes; its own end is near in any case.
        work.forget_token(leader)
        leader.session.host.close()
