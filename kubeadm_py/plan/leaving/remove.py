"""Take hosts out of a cluster: drain, etcd member, reset, Node object; a dead host without reaching it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kubeadm_py.addons import networks
from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.kube.etcd import Access
from kubeadm_py.model import quorum, typed
from kubeadm_py.model.actions import Action
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan import preflight
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.leaving import etcd as leaving
from kubeadm_py.plan.leaving import strangers
from kubeadm_py.plan.live import membership
from kubeadm_py.plan.live.membership import Membership
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.steps.nodes import leave
from kubeadm_py.steps.reset import host as reset_steps
from kubeadm_py.steps.reset import network as reset_network

DRAIN_DEADLINE = timedelta(minutes=5)
STAGES = (
    ("drain", "evict pods"),
    ("leave", "leave etcd"),
    ("reset", "remove what the inventory lists"),
    ("forget", "delete Nodes"),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """Say what is to be removed, and how far to go for it."""

    names: tuple[str, ...]
    force: bool = False
    """Go on with what would be refused: pods that cannot be evicted, a silent host whose node is Ready."""
    deadline: timedelta = DRAIN_DEADLINE
    keep_artifacts: bool = False


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """Hold what a removal did; `unreached` hosts keep what is on them."""

    plan: Plan
    changed: int
    unreached: tuple[str, ...]


def remove(run: Run, wish: Wish, *, confirm: Callable[[Plan], bool]) -> RemoveReport | None:
    """Look, work out what becomes of etcd's quorum, ask `confirm`, do it; None where it was not confirmed.

    All is planned and judged before anything is changed. Raise UsageError or KubeadmPyError where it must
    not be done.
    """
    removal = Removal(run, wish)
    plan = removal.prepare()
    if run.options.dry_run or plan.empty:
        return RemoveReport(plan, 0, tuple(removal.unreached))
    if not confirm(plan):
        return None
    removal.carry_out()
    return RemoveReport(plan, plan_changes(plan), tuple(removal.unreached))


@dataclass
class Removal:
    """Hold one removal: what is to go, and what was found out about it."""

    run: Run
    wish: Wish
    unreached: list[str] = field(default_factory=list)
    leader: Session | None = None
    """The control plane that speaks for the cluster; None: one of the config that stays."""
    joining: tuple[str, ...] = ()
    """Members that this run lets in before."""
    etcd: Session | None = None
    """Who is asked about etcd, and takes members out."""
    plan: Plan = field(default_factory=lambda: Plan("remove", ()))
    verdict: quorum.Verdict = field(default_factory=quorum.Verdict)

    def prepare(self) -> Plan:
        """Look, judge and plan; raise where it must not be done. Nothing is changed."""
        run = self.run
        leader = self._leader()
        self.etcd = self.etcd or self._etcd_host(leader)
        found = membership.survey(run.cluster, leader, self.etcd if self.etcd is not leader else None)
        targets = self._reach(found)
        self._refuse(targets, found, leader)
        self.verdict = leaving.judge(found.members, self._members(targets, found), self.joining)
        for warning in self.verdict.warnings:
            run.bus.emit(Notice("warning", warning))
        self.plan = self._plan(targets, found, self.verdict, leader)
        return self.plan

    def carry_out(self) -> None:
        """Do what was planned; raise RunFailedError with what failed, and go no further then."""
        run = self.run
        executor = run.executor({}, Source().open_images)
        for stage in self.plan.stages:
            if stage.id == "leave" and not stage.empty:
                self._look_again()
            result = executor.run(stage)
            run.changed += sum(result.changed.values())
            if result.errors:
                raise RunFailedError(list(result.errors.values()))

    def _look_again(self) -> None:
        """Judge anew before a member goes: a drain takes its time, and another member may be gone by now."""
        if self.etcd is None:
            return
        members = membership.members(self.run.cluster, self.etcd)
        leaving.judge(
            members,
            [change.name for change in self.verdict.order if change.leaves],
            details=["it could be done when this run began; the nodes are drained, no member is gone"],
        )

    def _etcd_host(self, leader: Session) -> Session | None:
        """Return who is asked about etcd; None where others run it."""
        run = self.run
        if run.cluster.etcd.members is None:
            return leader if run.cluster.etcd.local is not None else None
        lost = "no host of role etcd would be left: the cluster's data would be gone"
        return self._one_that_stays(run.cluster.etcd_hosts, "host of role etcd", lost)

    def _leader(self) -> Session:
        """Look at the control planes that stay and return one that answers."""
        if self.leader is not None:
            return self.leader
        lost = "no control plane of the file would be left"
        return self._one_that_stays(self.run.cluster.control_planes, "control plane", lost)

    def _one_that_stays(self, nodes: Sequence[Node], what: str, lost: str) -> Session:
        """Look at those of these hosts that stay, and return the first that is reached."""
        staying = [node for node in nodes if node.name not in self.wish.names]
        if not staying:
            whole = typed.command("reset", config=self.run.config_name)
            raise UsageError(lost, fix=f"to give the whole cluster up: {whole}")
        silent = self._look(staying)
        for node in staying:
            if node.name in self.run.sessions:
                self._tell(silent)
                return self.run.sessions[node.name]
        none = UnreachableError(f"no {what} that stays can be reached", fix="bring one back first")
        raise RunFailedError([none, *silent])

    def _look(self, nodes: Sequence[Node]) -> tuple[KubeadmPyError, ...]:
        """Look at hosts; return why some cannot be reached, raise whatever else is wrong."""
        try:
            self.run.look(nodes, lock=not self.run.options.dry_run)
        except RunFailedError as error:
            if any(each.exit_code is not ExitCode.UNREACHABLE for each in error.errors):
                raise
            return error.errors
        return ()

    def _tell(self, silent: Sequence[KubeadmPyError]) -> None:
        for error in silent:
            self.run.warn(f"cannot be reached: {error.summary}", error.host)

    def _reach(self, found: Membership) -> list[Node]:
        """Look at those that are to go, in the config or not; who cannot be reached is told."""
        run = self.run
        known = {node.name: node for node in run.cluster.nodes}
        targets = [
            known.get(name) or strangers.described(run.cluster, found, name)
            for name in dict.fromkeys(self.wish.names)
        ]
        # Without an address and a way there, it is a name that the cluster knows, at most.
        reachable = [node for node in targets if node.name in known or node.ssh is not None]
        if reachable:
            self._tell(self._look(reachable))
        self.unreached = [node.name for node in targets if node.name not in run.sessions]
        return targets

    def _refuse(self, targets: Sequence[Node], found: Membership, leader: Session) -> None:
        """Raise for what would be regretted, the weightiest first."""
        errors: list[KubeadmPyError] = []
        for node in targets:
            vouches = self.etcd if node.role is Role.ETCD and self.etcd is not None else leader
            own = preflight.ca_public_key(self.run, vouches.name)
            known = node.name in found.nodes or found.member_of(node) is not None
            if not known and node.name in self.unreached and not node.addresses:
                errors.append(
                    UsageError(
                        f"neither the file nor the cluster knows a host {node.name}",
                        fix=f"the cluster's nodes: {', '.join(sorted(found.nodes))}",
                    )
                )
            if node.name in self.run.sessions:
                theirs = preflight.ca_public_key(self.run, node.name)
                if theirs and own and theirs != own:
                    errors.append(
                        UsageError(
                            "this host is a member of another cluster",
                            host=node.name,
                            fix="is its address in the file right?",
                        )
                    )
            elif found.nodes.get(node.name) and not self.wish.force:
                errors.append(
                    KubeadmPyError(
                        "this host cannot be reached from here, and yet its node is Ready",
                        host=node.name,
                        details=["removed like this it would go on running, with the cluster's keys on it"],
                        fix="mend the SSH access, or switch it off; to go on all the same: --force",
                    )
                )
            if found.leads_to(node) and not self.wish.force:
                errors.append(
                    KubeadmPyError(
                        f"the cluster's endpoint {found.endpoint} is this host's own address",
                        host=node.name,
                        details=["kubelets and kubeconfigs of all hosts would lose the API with it"],
                        fix="move the address to another control plane first; to go on all the same: --force",
                    )
                )
        if errors:
            raise RunFailedError(errors)

    def _members(self, targets: Sequence[Node], found: Membership) -> list[str]:
        members = (found.member_of(node) for node in targets)
        return [member.name or member.id for member in members if member is not None]

    def _plan(
        self, targets: Sequence[Node], found: Membership, verdict: quorum.Verdict, leader: Session
    ) -> Plan:
        cluster, server = self.run.cluster, f"https://{leader.node.local_endpoint}"
        names = [node.name for node in targets if node.name in found.nodes]
        # Nobody confirms an eviction on a node that is not Ready: its pods go with the Node object.
        alive = [name for name in names if found.nodes[name]]
        drains: list[Action] = [
            leave.drain(name, server, self.wish.deadline, force=self.wish.force) for name in alive
        ]
        leaves = leaving.actions(
            found.members,
            verdict,
            Access.of_member(cluster.certificates_dir),
            membership.ETCD_TIMEOUT,
        )
        forgets: list[Action] = [leave.forget(names, server)] if names else []
        by_stage = {
            "drain": _on(leader, "drain", drains),
            "leave": _on(self.etcd or leader, "leave", leaves),
            "reset": self._resets(targets),
            "forget": _on(leader, "forget", forgets),
        }
        return Plan("remove", tuple(Stage(id, title, by_stage[id]) for id, title in STAGES))

    def _resets(self, targets: Sequence[Node]) -> tuple[HostPlan, ...]:
        plans = []
        cluster = self.run.cluster
        known = networks.traces(request.name for request in cluster.addons)
        for node in targets:
            session = self.run.sessions.get(node.name)
            if session is None:
                continue
            host = reset_steps.ResetHost(
                session.inventory,
                session.facts,
                cluster.reset,
                self.wish.keep_artifacts,
                certificates_dir=cluster.certificates_dir,
                networks=reset_network.on_host(known, session.facts),
            )
            planned = reset_steps.plan(host)
            if planned:
                plans.append(HostPlan(node.name, planned))
        return tuple(plans)


def _on(leader: Session, step: str, actions: Sequence[Action]) -> tuple[HostPlan, ...]:
    if not actions:
        return ()
    return (HostPlan(leader.name, (PlannedStep(step, step, tuple(actions)),)),)


def without(cluster: ResolvedCluster, names: Sequence[str]) -> ResolvedCluster:
    """Return the cluster as it is once these hosts are gone."""
    return replace(cluster, nodes=tuple(node for node in cluster.nodes if node.name not in names))
