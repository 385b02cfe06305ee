"""Take hosts that were looked at into a cluster: gates, preparation, kubelets, labels and add-ons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.engine.events import StagesAhead
from kubeadm_py.engine.execute import Executor, StageResult
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import paths, phases
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Role
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.pki import presence
from kubeadm_py.plan.ahead import ahead
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.build import build_stage, changes, plan_changes, together
from kubeadm_py.plan.certificates import key_pairs
from kubeadm_py.plan.certificates.producers import Adopt, joining_producers
from kubeadm_py.plan.certificates.shared_keys import SharedKeys
from kubeadm_py.plan.joining import control_planes as control_plane_join
from kubeadm_py.plan.joining import discover, finish
from kubeadm_py.plan.joining import leader as leaders
from kubeadm_py.plan.joining.gates import Gates
from kubeadm_py.plan.joining.joined import as_joined
from kubeadm_py.plan.joining.leader import Leader
from kubeadm_py.plan.joining.servers import endpoint_of
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.plan.workflows import JOIN_CONTROL_PLANE, JOIN_WORKER, JOINED, PREPARE
from kubeadm_py.render import engine
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.prepare import text


def stages(with_control_plane: bool, *, alone: bool = False) -> StagesAhead:
    """Return the event that says which stages a join has before it; phases alone are one."""
    if alone:
        return ahead(JOIN_WORKER)
    return ahead(PREPARE, JOIN_WORKER, *([JOINED] if with_control_plane else []))


def preload() -> None:
    """Compile the templates that joining hosts need."""
    engine.preload()
    text.preload()


@dataclass(frozen=True, slots=True)
class JoinReport:
    """Hold what a join did; `already` were members before."""

    plan: Plan
    changed: int
    already: tuple[str, ...]


@dataclass(slots=True)
class Joining:
    """Hold one join's work over its hosts."""

    run: Run
    source: Source
    names: list[str]
    now: datetime
    adopt: Adopt | None = None
    keys: SharedKeys | None = None
    phases: Selection = EVERYTHING
    token_deleted: bool = False

    def all_members(self) -> bool:
        """Say whether every host has its kubelet's credentials already."""
        return all(paths.KUBELET_CONF in session.facts.files for session in self.run.sessions.values())

    def through(self, leader: Leader | None, discovery_file: bytes | None) -> JoinReport:
        """Do the whole join."""
        joined = self._taken_over(self._find(leader, discovery_file), leader)
        try:
            return self._carry_out(joined, leader)
        finally:
            if self.keys is not None:
                self.keys.forget()

    def _find(self, leader: Leader | None, discovery_file: bytes | None) -> JoinedCluster:
        run = self.run
        first = next(iter(run.sessions.values()))
        if leader is not None:
            return leader.joined()
        if run.cluster.discovery is None:
            raise UsageError(
                "nothing says which cluster to join",
                fix="give API:PORT with a token, or a config with a control plane or a JoinConfiguration",
            )
        return discover.discover(run, first, run.cluster.discovery, discovery_file)

    def _taken_over(self, joined: JoinedCluster, leader: Leader | None) -> JoinedCluster:
        """Go on with what the cluster says of itself, and with what its control planes share."""
        run = self.run
        control_planes = self._control_planes()
        if control_planes:
            control_plane_join.refuse_without_endpoint(joined, control_planes)
        run.use(as_joined(run.cluster, joined))
        if not control_planes:
            return joined
        joined = control_plane_join.adopted(run, joined, self.adopt)
        if not self.phases.wants(control_plane_prepare.PHASE):
            return joined
        self.keys = control_plane_join.shared_keys_of(run, joined, leader, control_planes, self.now)
        return replace(joined, shared=self.keys.described)

    def _control_planes(self) -> list[str]:
        """Return those of the joining hosts that become control planes."""
        return [name for name in self.names if self.run.sessions[name].node.role is Role.CONTROL_PLANE]

    def _carry_out(self, joined: JoinedCluster, leader: Leader | None) -> JoinReport:
        run = self.run
        resolved = tuple(addons.resolve(run.cluster)) if leader else ()
        gates = self._gates(joined, leader, addons.images(resolved, run.cluster))
        already = gates.host(self.names)
        gates.refuse_taken_names([name for name in self.names if name not in already])
        for name in self.names:
            run.sessions[name].inventory.cluster = run.cluster.name
        if leader is not None and len(already) < len(self.names):
            self._warn_of_external_ca(leader)
        control_plane_join.refuse_unfit(self._contexts(joined, resolved))
        prepare = build_stage(PREPARE, self._contexts(joined, resolved))
        if run.options.dry_run:
            stage = self._join_stage(joined, resolved)
            return JoinReport(Plan("join", (prepare, stage)), 0, already)
        if self.source.fetch(run.cluster, run.sessions, run.say):
            prepare = build_stage(PREPARE, self._contexts(joined, resolved))
        self.source.verify(prepare)
        executor = self._executor(joined)
        errors = self._keep_going(executor.run(prepare, probe_after=True))
        gates.prepared(self.names)
        if leader is not None:
            leader.wait_for_token()
        stage = self._join_stage(self._with_credentials(joined, leader), resolved)
        errors += self._keep_going(executor.run(stage))
        if leader is not None:
            errors += self._finish(executor, leader, resolved)
        if errors:
            raise RunFailedError(errors)
        plan = Plan("join", (prepare, stage))
        return JoinReport(plan, plan_changes(plan), already)

    def phases_alone(self, leader: Leader | None, discovery_file: bytes | None) -> JoinReport:
        """Do the phases that were asked for and nothing else, with what the hosts have.

        The cluster is looked up where the config or the flags name one. A token that was minted stays until
        its end, which is near: the kubelet still has to log in with it.
        """
        run = self.run
        joined: JoinedCluster | None = None
        try:
            if leader is not None or run.cluster.discovery is not None:
                joined = self._taken_over(self._find(leader, discovery_file), leader)
            return self._carry_out_alone(joined, leader)
        finally:
            if self.keys is not None:
                self.keys.forget()

    def _carry_out_alone(self, joined: JoinedCluster | None, leader: Leader | None) -> JoinReport:
        run = self.run
        already: tuple[str, ...] = ()
        if joined is not None and self.phases.wants(phases.PREFLIGHT):
            gates = self._gates(joined, leader, [])
            already = gates.host(self.names)
            gates.prepared(self.names)
        for name in self.names:
            run.sessions[name].inventory.cluster = run.cluster.name
        stage = self._join_stage(joined, ())
        report = JoinReport(Plan("join", (stage,)), changes(stage), already)
        if run.options.dry_run or stage.empty:
            return report
        if leader is not None and leader.token is not None:
            leader.wait_for_token()
            self.token_deleted = True
            minutes = int(leaders.TOKEN_TTL.total_seconds() // 60)
            run.say(f"the token of this join ends by itself, {minutes} minutes from now")
        errors = self._keep_going(self._executor(joined).run(stage))
        if errors:
            raise RunFailedError(errors)
        return report

    def _gates(self, joined: JoinedCluster, leader: Leader | None, images: list[str]) -> Gates:
        return Gates(self.run, self.source, self.phases, joined, leader, images)

    def _executor(self, joined: JoinedCluster | None) -> Executor:
        shared = self.keys.table(joined.ca_pem) if self.keys is not None and joined is not None else {}
        return self.run.executor({**joining_producers(self.run.cluster), **shared}, self.source.open_images)

    def _warn_of_external_ca(self, leader: Leader) -> None:
        states = presence.authorities(self.run.cluster, leader.session.facts.files)
        if states["ca"] is presence.Presence.EXTERNAL:
            self.run.warn(
                "the CA's key is not in the cluster: somebody has to sign the kubelets' certificates while"
                " they join",
                fix="kubectl get csr lists their requests; without a signer the join runs out of time",
            )

    def _join_stage(self, joined: JoinedCluster | None, resolved: tuple[ResolvedAddon, ...]) -> Stage:
        contexts = self._contexts(joined, resolved)
        return together(
            *(
                build_stage(definition, [ctx for ctx in contexts if ctx.node.role is role])
                for role, definition in (
                    (Role.CONTROL_PLANE, JOIN_CONTROL_PLANE),
                    (Role.WORKER, JOIN_WORKER),
                )
            )
        )

    def _with_credentials(self, joined: JoinedCluster, leader: Leader | None) -> JoinedCluster:
        """Have the certificates of kubelets that are about to join signed beforehand.

        A kubelet that has to ask for its own first finds its node only at its second look, a second later.
        """
        sessions = [self.run.sessions[name] for name in self.names]
        wanted = [each for each in sessions if paths.KUBELET_CONF not in each.facts.files]
        if not wanted or not self.phases.wants(kubelet_start.STEP.phase):
            return joined
        if leader is not None:
            session, endpoint = leader.session, leader.session.node.local_endpoint
        else:
            session, endpoint = wanted[0], endpoint_of(joined.server)
        names = [each.node.name for each in wanted]
        signed = discover.kubelet_credentials(session, endpoint, joined, names)
        return replace(joined, kubelet_credentials=signed)

    def _contexts(
        self, joined: JoinedCluster | None, resolved: tuple[ResolvedAddon, ...]
    ) -> list[StepContext]:
        return [
            StepContext(
                self.run.cluster,
                session.node,
                session.facts,
                "join",
                self.now,
                recorded=session.inventory.files,
                artifacts=self.source.view,
                joined=joined,
                addons=resolved,
                key_pairs=self._key_pairs(session),
                phases=self.phases,
            )
            for name, session in self.run.sessions.items()
            if name in self.names
        ]

    def _key_pairs(self, session: Session) -> dict[str, bool]:
        if session.node.role is not Role.CONTROL_PLANE:
            return {}
        return key_pairs.look(self.run.cluster, session, halves=False)

    def _keep_going(self, result: StageResult) -> list[KubeadmPyError]:
        """Count changes, and go on with the hosts that are well."""
        self.run.changed += sum(result.changed.values())
        self.names = [name for name in self.names if name not in result.errors]
        return list(result.errors.values())

    def _finish(
        self, executor: Executor, leader: Leader, resolved: tuple[ResolvedAddon, ...]
    ) -> list[KubeadmPyError]:
        """Have the leader do what follows from new nodes, and delete the token; one round trip."""
        session = leader.session
        actions = finish.actions(self.run, leader, self.names, resolved, self.now)
        if not actions:
            return []
        steps = (PlannedStep("finish", "labels and add-ons", tuple(actions)),)
        stage = Stage(JOINED.id, JOINED.title, (HostPlan(session.name, steps),))
        executor.sessions = {session.name: session}
        result = executor.run(stage)
        self.token_deleted = not result.errors
        return list(result.errors.values())

    def forget_token(self, leader: Leader) -> None:
        """Delete the minted token if nothing has done so yet; never hide why the join itself failed."""
        if leader.token is not None and not self.token_deleted:
            leaders.delete_token(self.run, leader.session.host, leader.token_id)
