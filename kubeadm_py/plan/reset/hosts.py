"""Take hosts back to what they were before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from kubeadm_py.addons import networks
from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.execute import Executor
from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.network_traces import NetworkTraces
from kubeadm_py.model.node import Node
from kubeadm_py.model.phases import CLEANUP_NODE, PREFLIGHT, REMOVE_ETCD_MEMBER, RESET, Selection
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan import phases
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.leaving import etcd as leaving
from kubeadm_py.plan.reset import doubts as reset_doubts
from kubeadm_py.plan.reset import farewell
from kubeadm_py.plan.reset.farewell import Farewell
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.steps.nodes import leave
from kubeadm_py.steps.reset import host as steps
from kubeadm_py.steps.reset import kubeadm_made
from kubeadm_py.steps.reset import left as reset_left
from kubeadm_py.steps.reset import network as reset_network
from kubeadm_py.steps.reset.host import ResetHost

_BY_KUBEADM = "kubeadm made this node: what its own reset removes goes, and the pod network's links and rules"
PARTS = ("system", "files", "network", "units", "containers")
"""What a reset asks of the probe."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Say how far a reset goes."""

    keep_artifacts: bool = False
    whole_file: bool = True
    """Whether the config names all hosts; else each host is on its own."""


@dataclass(frozen=True, slots=True)
class ResetReport:
    """Hold what a reset does, or did: its plan, and whom it is about."""

    plan: Plan
    hosts: tuple[str, ...]
    """Those that were reached."""
    untouched: tuple[str, ...]
    """Those that held nothing of a cluster, and have no Node that an earlier reset left."""
    forgotten: tuple[str, ...] = ()
    """Those that held nothing, and have one."""
    changed: int = 0

    @property
    def affected(self) -> list[str]:
        """Return the hosts that are reset; a control plane that stays and deletes Nodes is none of them."""
        changed = dict.fromkeys(host.host for stage in self.plan.stages for host in stage.hosts)
        return [name for name in self.hosts if name in changed or name in self.forgotten]


def reset(
    run: Run, targets: Sequence[Node], wish: Wish, *, confirm: Callable[[ResetReport], bool]
) -> ResetReport | None:
    """Look, ask `confirm`, take hosts out of etcd, remove what is the cluster's; None where not confirmed.

    Hosts are handled at once and apart from each other; those that cannot be reached are told first, and
    raise RunFailedError once the others are done. Where a control plane of the file stays, the Nodes of
    clean hosts are deleted there; also those of hosts that an earlier reset had cleaned.
    """
    return _Reset(run, targets, wish).through(confirm)


@dataclass
class _Reset:
    run: Run
    targets: Sequence[Node]
    wish: Wish
    unreached: list[KubeadmPyError] = field(default_factory=list)
    reached: tuple[str, ...] = ()
    farewell: Farewell = field(default_factory=Farewell)

    def through(self, confirm: Callable[[ResetReport], bool]) -> ResetReport | None:
        run, options = self.run, self.run.options
        skipped = (run.cluster.reset.skip_phases, options.skip_phases)
        chosen = phases.selection(RESET, options.only_phases, *skipped)
        self._look()
        self._name()
        self.reached = tuple(run.sessions)
        reset_doubts.refuse_foreign(run)
        if chosen.wants(PREFLIGHT):
            reset_doubts.check(run)
        report = self._plan(chosen)
        if options.dry_run or report.plan.empty:
            self._tell_unreached("nothing was removed")
            return report
        if not confirm(report):
            return None
        self._carry_out(report)
        self._tell_unreached(f"{', '.join(report.affected)} reset")
        return replace(report, changed=plan_changes(report.plan))

    def _look(self) -> None:
        """Look at the hosts; go on with those that are there."""
        run = self.run
        try:
            run.look(self.targets, lock=not run.options.dry_run, parts=PARTS)
        except RunFailedError as error:
            if not run.sessions or any(each.exit_code is not ExitCode.UNREACHABLE for each in error.errors):
                raise
            self.unreached = list(error.errors)
            for each in self.unreached:
                run.warn(f"cannot be reached, and keeps all that is on it: {each.summary}", each.host)

    def _name(self) -> None:
        """Call hosts that nothing names by their own names."""
        run = self.run
        known = {name: kubeadm_made.node_name(session.facts) for name, session in run.sessions.items()}
        names = [known.get(node.name) or node.name for node in run.cluster.nodes]
        if not self.wish.whole_file and len(set(names)) == len(names):
            nodes = tuple(
                replace(node, name=name) if node.unnamed else node
                for node, name in zip(run.cluster.nodes, names, strict=True)
            )
            run.use(replace(run.cluster, nodes=nodes))
            self.targets = nodes

    def _tell_unreached(self, done: str) -> None:
        """Raise for hosts that were to be reset and were not."""
        if self.unreached:
            self.run.say(done)
            config = f" --config {self.run.config_name}" if self.run.config_name else ""
            for error in self.unreached:
                error.fix = f"once it is back: kubeadm-py reset{config} --host {error.host}"
            raise RunFailedError(self.unreached)

    def _plan(self, chosen: Selection) -> ResetReport:
        run = self.run
        leave_etcd = leaving.Leave()
        if chosen.wants(REMOVE_ETCD_MEMBER):
            leave_etcd = leaving.plan(run, self.targets)
            self._warn_of_silence(leave_etcd)
        elif chosen.wants(CLEANUP_NODE):
            reset_doubts.warn_of_members(run)
        plans, forgets = [], []
        for name in self.reached:
            host = self._host(name, chosen)
            if chosen.wants(CLEANUP_NODE) and leave_etcd.others_stay:
                forgets += self._forgets(name)
            planned = steps.plan(host)
            if planned and host.kubeadms:
                run.bus.emit(Notice("info", _BY_KUBEADM, name))
            if planned:
                plans.append(HostPlan(name, planned))
            if host.keeps and not self.wish.keep_artifacts and planned:
                others = ", ".join(host.facts.others_containers)
                run.warn(
                    f"the container runtime stays, and what prepared the host: others use it ({others})",
                    name,
                    "once these containers are gone, reset again",
                )
        bare = [name for name in self.reached if not self._holds_anything(name)]
        if self.wish.whole_file and chosen.wants(CLEANUP_NODE):
            self.farewell = self._ask_for_nodes(bare)
        plan = Plan(
            "reset",
            (
                # While its own API server still has an etcd to ask.
                Stage(farewell.STAGE, farewell.TITLE, tuple(forgets)),
                Stage("leave", "leave etcd", leave_etcd.plans),
                Stage("reset", "remove what the inventory lists", tuple(plans)),
                self.farewell.stage(self.reached),
            ),
        )
        forgotten = tuple(name for name in bare if name in self.farewell.names)
        untouched = tuple(name for name in bare if name not in forgotten)
        return ResetReport(plan, self.reached, untouched, forgotten)

    def _ask_for_nodes(self, bare: Sequence[str]) -> Farewell:
        """Ask a control plane that stays whom of the hosts it knows."""
        targets = {node.name for node in self.targets}
        staying = [node for node in self.run.cluster.control_planes if node.name not in targets]
        hosts = [self.run.sessions[name] for name in self.reached]
        return farewell.ask(self.run, staying, hosts, bare)

    def _host(self, name: str, chosen: Selection) -> ResetHost:
        session, cluster = self.run.sessions[name], self.run.cluster
        return ResetHost(
            session.inventory,
            session.facts,
            cluster.reset,
            self.wish.keep_artifacts,
            chosen,
            certificates_dir=cluster.certificates_dir,
            networks=reset_network.on_host(self._networks, session.facts),
        )

    @cached_property
    def _networks(self) -> tuple[NetworkTraces, ...]:
        return networks.traces(request.name for request in self.run.cluster.addons)

    def _holds_anything(self, name: str) -> bool:
        session = self.run.sessions[name]
        return not session.inventory.empty or kubeadm_made.is_kubeadms(session.inventory, session.facts)

    def _forgets(self, name: str) -> list[HostPlan]:
        """Let a host that no file names others for delete its own Node, where it has the means."""
        if self.wish.whole_file:
            return []
        run, facts = self.run, self.run.sessions[name].facts
        kubeconfig = run.options.kubeconfig or paths.ADMIN_CONF
        if kubeconfig not in facts.files and not run.options.kubeconfig:
            return []
        timeout = run.cluster.reset.timeouts.kubernetes_api_call
        action = leave.forget_itself(kubeadm_made.node_name(facts), kubeconfig, timeout)
        return [HostPlan(name, (PlannedStep("forget", "delete the Node", (action,)),))]

    def _warn_of_silence(self, found: leaving.Leave) -> None:
        if found.others_stay:
            for name in found.silent:
                self.run.warn(
                    "etcd does not answer: if others of its cluster live, they go on counting its vote",
                    name,
                    reset_doubts.removal(self.run, name),
                )

    def _carry_out(self, report: ResetReport) -> None:
        run = self.run
        executor = run.executor({}, Source().open_images)
        *before, clean, _ = report.plan.stages
        for stage in before:
            left = executor.run(stage)
            left.raise_first()
            run.changed += sum(left.changed.values())
        result = executor.run(clean, probe_after=True)
        run.changed += sum(result.changed.values())
        gone = [name for name in result.changed if _is_cleaned(clean, name)]
        for name in gone:
            self._tell_what_is_left(name)
        self._forget(executor, [*gone, *report.forgotten])
        if result.errors:
            raise RunFailedError([*result.errors.values(), *self.unreached])

    def _forget(self, executor: Executor, names: Sequence[str]) -> None:
        """Delete the Nodes of hosts that are clean; where that fails they are clean all the same."""
        stage = self.farewell.stage(names)
        result = executor.run(stage)
        self.run.changed += sum(result.changed.values())
        for speaker, error in result.errors.items():
            farewell.tell_doubt(self.run, names, speaker, error)

    def _tell_what_is_left(self, name: str) -> None:
        found = reset_left.left(self.run.sessions[name].facts)
        if found:
            self.run.warn(f"left, for it is not known to be the cluster's: {found}", name)


def _is_cleaned(stage: Stage, name: str) -> bool:
    done = next(host for host in stage.hosts if host.host == name)
    return any(step.step == CLEANUP_NODE for step in done.steps)
