"""Order what an apply does: which hosts go through which stages, and what each of those waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kubeadm_py.engine.events import StagesAhead
from kubeadm_py.engine.parts import Outcome, Part
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan.ahead import ahead
from kubeadm_py.plan.build import build_stage, changes, once, together
from kubeadm_py.plan.certificates import kubelet_requests
from kubeadm_py.plan.cluster import kube_proxy, moving
from kubeadm_py.plan.cluster.gates import Gates
from kubeadm_py.plan.cluster.members import Members
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.workflows import (
    CONTROL_PLANES,
    ETCD_HOSTS,
    FINISH,
    JOIN_CONTROL_PLANE,
    JOIN_ETCD_HOST,
    JOIN_WORKER,
    PREPARE,
    PROXY_READS,
    PROXY_RULES,
    STANDING_BY,
    StageDefinition,
)
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.etcd import host as etcd_host
from kubeadm_py.steps.kubelet import serving as kubelet_serving


def stages(run: Run) -> StagesAhead:
    """Return the event that says which stages an apply has before it, as far as the file alone tells."""
    joining = len(run.cluster.nodes) - len(run.cluster.etcd_hosts) > 1
    etcd = [ETCD_HOSTS] if run.cluster.etcd_hosts else []
    return ahead(PREPARE, *etcd, CONTROL_PLANES, *([JOIN_WORKER] if joining else []), FINISH)


@dataclass(frozen=True, slots=True)
class Order:
    """Hold what the stages of an apply are planned from."""

    members: Members
    gates: Gates

    def parts(self, outcome: Outcome) -> list[Part]:
        """List what happens; a host takes its parts in this order and waits for no more than they say."""
        members = self.members
        replacing = kube_proxy.needed(members)
        keeping = [kube_proxy.before(members, self._checked)] if replacing else []
        reading = [kube_proxy.behind(members, self._checked)] if replacing else []
        standing_by = self._standing_by_parts()
        # Only by then all founders' kubelets have started anew: what they asked for before has no key.
        asking = kubelet_serving.asks_the_cluster(members.run.cluster)
        return [
            Part(
                PREPARE.id,
                PREPARE.title,
                tuple(members.run.sessions),
                lambda hosts: self._checked(self._stage(PREPARE, hosts)),
                together=True,
                at_once=members.at_once,
                probe_after=True,
            ),
            *self._etcd_parts(),
            *keeping,
            Part(
                CONTROL_PLANES.id,
                CONTROL_PLANES.title,
                members.in_turn,
                lambda hosts: self._checked(self._prepared(CONTROL_PLANES, hosts)),
                # Founders need each other; of a cluster that runs only one member may be away at a time.
                together=True,
                in_turn=lambda stage: members.running and (stage.guarded or changes(stage) > 0),
                needs=(etcd_host.READY,) if members.etcd_hosts else (),
                after=(
                    *([JOIN_ETCD_HOST.id] if members.late_etcd_hosts else ()),
                    *([PROXY_RULES.id] if keeping else ()),
                ),
                provides=(cluster_objects.OBJECTS,),
                # Who joins, or moves, takes over what is there by then.
                probe_after=bool(members.late) or members.moving,
            ),
            *(moving.parts(members, self._checked, reading) if members.moving else reading),
            Part(
                JOIN_WORKER.id,
                JOIN_WORKER.title,
                self._later,
                lambda hosts: self._checked(self._join(hosts)),
                needs=(cluster_objects.OBJECTS, *([cluster_objects.MOVED] if members.moving else ())),
                # Of a running cluster one thing changes at a time: who joins needs its members, too.
                after=(CONTROL_PLANES.id,) if members.running else (),
                at_once=members.at_once,
            ),
            *standing_by,
            Part(
                FINISH.id,
                FINISH.title,
                (members.leader.name,),
                lambda hosts: self._finish(hosts, outcome.well(self._later)),
                after=(*self._after_joins, *(part.id for part in standing_by if asking)),
            ),
        ]

    def _etcd_parts(self) -> list[Part]:
        """List what happens on hosts of role etcd, for which API servers wait."""
        members = self.members
        founders = Part(
            ETCD_HOSTS.id,
            ETCD_HOSTS.title,
            members.etcd_hosts,
            lambda hosts: self._checked(self._prepared(ETCD_HOSTS, hosts)),
            together=True,
            in_turn=lambda stage: members.running and changes(stage) > 0,
            provides=(etcd_host.READY,),
        )
        later = Part(
            JOIN_ETCD_HOST.id,
            JOIN_ETCD_HOST.title,
            members.late_etcd_hosts,
            lambda hosts: self._checked(self._prepared(JOIN_ETCD_HOST, hosts)),
            needs=(etcd_host.READY,),
        )
        return [part for part in (founders, later) if part.hosts]

    def _standing_by_parts(self) -> list[Part]:
        """List what the founders beside the first one get last."""
        if not self.members.later:
            return []
        return [
            Part(
                STANDING_BY.id,
                STANDING_BY.title,
                tuple(self.members.later),
                lambda hosts: self._checked(self._stage(STANDING_BY, hosts)),
                after=self._after_joins,
            )
        ]

    @property
    def _after_joins(self) -> tuple[str, ...]:
        return (JOIN_WORKER.id,) if self._later else ()

    @property
    def _later(self) -> tuple[str, ...]:
        """Return the hosts that come after the founders: later control planes, and all workers."""
        return (*self.members.late, *self.members.workers)

    def as_it_is_now(self) -> tuple[Stage, ...]:
        """Plan all stages from what the hosts are like now."""
        members = self.members
        replacing = kube_proxy.needed(members)
        keeping = [kube_proxy.as_it_is_now(members, PROXY_RULES)] if replacing else []
        reading = [kube_proxy.as_it_is_now(members, PROXY_READS)] if replacing else []
        return once(
            [
                self._stage(PREPARE, tuple(members.run.sessions)),
                *([self._stage(ETCD_HOSTS, members.etcd_hosts)] if members.etcd_hosts else ()),
                *([self._stage(JOIN_ETCD_HOST, members.late_etcd_hosts)] if members.late_etcd_hosts else ()),
                *keeping,
                self._stage(CONTROL_PLANES, members.control_planes),
                *(moving.as_it_is_now(members, reading) if members.moving else reading),
                self._join_stage(self._later),
                *([self._stage(STANDING_BY, tuple(members.later))] if members.later else ()),
                self._stage(FINISH, (members.leader.name,), present=self._later),
            ]
        )

    def _finish(self, hosts: Sequence[str], present: Sequence[str]) -> Stage:
        members, run = self.members, self.members.run
        cluster = run.cluster
        approved: tuple[str, ...] = ()
        if kubelet_serving.asks_the_cluster(cluster):
            there = (*members.control_planes, *present)
            new = [name for name in there if kubelet_requests.is_new(cluster, run.sessions[name])]
            if new:
                approved = kubelet_requests.awaited(run, members.leader.host, new, cluster=cluster)
            elif members.live_addons is not None:
                approved = kubelet_requests.judged(run, members.live_addons.requests, cluster)
        contexts = [
            replace(members.context(name, FINISH, present=present), approved=approved) for name in hosts
        ]
        return build_stage(FINISH, contexts)

    def _prepared(self, definition: StageDefinition, hosts: Sequence[str]) -> Stage:
        self.gates.prepared(hosts)
        return self._stage(definition, hosts)

    def _join(self, hosts: Sequence[str]) -> Stage:
        self.gates.prepared(hosts)
        return self._join_stage(hosts)

    def _join_stage(self, hosts: Sequence[str]) -> Stage:
        late = self.members.late
        return together(
            self._stage(JOIN_CONTROL_PLANE, [name for name in hosts if name in late]),
            self._stage(JOIN_WORKER, [name for name in hosts if name not in late]),
        )

    def _stage(self, definition: StageDefinition, hosts: Sequence[str], present: Sequence[str] = ()) -> Stage:
        contexts = [self.members.context(name, definition, present=present) for name in hosts]
        return build_stage(definition, contexts)

    def _checked(self, stage: Stage) -> Stage:
        """Return the stage once the bytes that it sends are known to be the right ones."""
        self.members.source.verify(stage)
        return stage
