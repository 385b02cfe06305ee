"""Know the hosts of a file as members of the cluster, and what each is planned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from threading import Lock

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.inventory import Inventory
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.engine.session import Session
from kubeadm_py.kube.objects import LiveAddons
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Late
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki.keys import KeyMaker
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.certificates import key_holders, key_pairs, shared_keys
from kubeadm_py.plan.certificates.producers import ControlPlaneProducers
from kubeadm_py.plan.certificates.shared_keys import SharedKeys
from kubeadm_py.plan.cluster import births, moving, standby
from kubeadm_py.plan.live import installed, membership
from kubeadm_py.plan.live import objects as live_objects
from kubeadm_py.plan.live.membership import Membership
from kubeadm_py.plan.run import Run
from kubeadm_py.plan.workflows import (
    BEFORE_THE_MOVE,
    FINISH,
    JOIN_CONTROL_PLANE,
    JOIN_WORKER,
    PROXY_READS,
    WITH_OBJECTS,
    StageDefinition,
)
from kubeadm_py.render import component_configs
from kubeadm_py.render.cluster_configuration import cluster_configuration
from kubeadm_py.steps import applied
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.objects import groups as object_groups
from kubeadm_py.token import bootstrap

_ROLLED_SHARE = 10
"""Of so many workers one may be changed at a time, once the first has gone well."""


@dataclass
class Members:
    """Hold what a run over all hosts of a file has found out about them.

    Raise KubeadmPyError where hosts cannot be of one cluster, or where one has lost what it had.
    """

    run: Run
    source: Source
    now: datetime
    key_maker: KeyMaker
    births: births.Births = field(init=False)
    leader: Session = field(init=False)
    """The control plane that writes what the cluster has once."""
    running: bool = field(init=False)
    """Whether the cluster was up before this run: its objects are there, and each member has been up."""
    joining: tuple[str, ...] = field(init=False)
    """Hosts that join a cluster which others have founded: later control planes, then workers."""
    producers: ControlPlaneProducers = field(init=False)
    moving: bool = field(init=False, default=False)
    """Whether the running cluster's endpoint becomes another one in this run."""
    nodes: Mapping[str, bool] | None = None
    """The cluster's nodes, and whether they are Ready, once it was asked; None: it was not."""
    _answers: list[live_objects.Answer | None] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Find out."""
        run = self.run
        run.use(replace(run.cluster, bootstrap_tokens=_tokens(run.cluster)))
        self.births = births.decide(
            run.cluster, [run.sessions[node.name] for node in run.cluster.etcd_members]
        )
        sessions = [run.sessions[name] for name in self.control_planes]
        etcd = [run.sessions[node.name] for node in run.cluster.etcd_hosts]
        key_holders.find(run.cluster, sessions, etcd)
        self.leader = leading(sessions)
        noted = applied.same_cluster(self._bare_context(self.leader))
        # Who led before may be gone, and its note with it: a member that was up had an API server beside it.
        self.running = self.births.settled and (noted or self._has_been_up())
        joining = [name for name in self.workers if _joins(run.sessions[name])]
        self.joining = (*self.late, *joining)
        others = [session for session in sessions if session is not self.leader]
        self.producers = ControlPlaneProducers(
            run.cluster, self.leader, self.now, self.key_maker, others=others, etcd=etcd
        )
        self.moving = self.running and moving.needed(self)

    def _has_been_up(self) -> bool:
        known = (birth for birth in self.births.of.values() if birth is not None)
        return self.run.cluster.etcd.local is not None and any(birth.started for birth in known)

    @property
    def control_planes(self) -> tuple[str, ...]:
        """Return the names of the control planes that the cluster has, or is founded by."""
        names = (node.name for node in self.run.cluster.control_planes)
        return tuple(name for name in names if name not in self.births.late)

    @property
    def in_turn(self) -> tuple[str, ...]:
        """Return the same in the order of their turns: who does not serve goes first, then nobody is lost."""
        return tuple(sorted(self.control_planes, key=lambda name: serves(self.run.sessions[name])))

    @cached_property
    def later(self) -> Mapping[str, frozenset[str]]:
        """Return what founders of a cluster do last: the ids of steps, by host."""
        if self.running:
            return {}
        sessions = [self.run.sessions[name] for name in self.control_planes]
        beginning = [session.node for session in sessions if static_pods.begins(session.facts)]
        return standby.later(self.run.cluster, beginning, self.leader.name)

    @property
    def late(self) -> tuple[str, ...]:
        """Return the control planes that come to a cluster which others have founded."""
        return tuple(node.name for node in self.run.cluster.control_planes if node.name in self.births.late)

    @property
    def etcd_hosts(self) -> tuple[str, ...]:
        """Return the hosts of role etcd whose members found their cluster, or are in it."""
        names = (node.name for node in self.run.cluster.etcd_hosts)
        return tuple(name for name in names if name not in self.births.late)

    @property
    def late_etcd_hosts(self) -> tuple[str, ...]:
        """Return those that come later."""
        return tuple(node.name for node in self.run.cluster.etcd_hosts if node.name in self.births.late)

    @property
    def workers(self) -> tuple[str, ...]:
        """Return the names of the workers that were reached."""
        return tuple(node.name for node in self.run.cluster.workers if node.name in self.run.sessions)

    @property
    def at_once(self) -> int:
        """Return how many hosts may be changed at a time that work, once the first has gone well."""
        return max(1, len(self.workers) // _ROLLED_SHARE)

    def live(self) -> LiveObjects | None:
        """Return what the cluster has of our objects; None before it runs, or where nobody answers."""
        answer = self._answer()
        return answer.objects if answer is not None else None

    @property
    def live_addons(self) -> LiveAddons | None:
        """Return what the cluster says of its add-ons; None where it does not run, or nobody answers."""
        answer = self._answer()
        return answer.addons if answer is not None else None

    def membership(self) -> Membership:
        """Return who is in the cluster; raise KubeadmPyError where it cannot say."""
        cluster, answer = self.run.cluster, self._answer()
        etcd = next((self.run.sessions[name] for name in self.etcd_hosts), None)
        if answer is None:
            # Nobody has answered, or may ask, there: why, this tells.
            return membership.survey(cluster, self.leader, etcd)
        return membership.found(cluster, self.leader, answer.said, etcd, answer.listed)

    def _answer(self) -> live_objects.Answer | None:
        """Return what the leader has said, who is asked once a run."""
        with self._lock:
            if not self._answers:
                self._answers.append(self._ask())
            return self._answers[0]

    def _ask(self) -> live_objects.Answer | None:
        if not self.running:
            return None
        ctx = replace(self._bare_context(self.leader), phases=self.phases(self.leader.node))
        wanted, changed = object_groups.comparable(ctx)
        nodes = [node.name for node in self.run.cluster.members if node.name not in self.births.late]
        refs = installed.asked_for(self.run.cluster, self.leader, self.addons)
        found = None
        if live_objects.can_ask(self.leader):
            also = membership.etcd_questions(self.run.cluster)
            found = live_objects.look(self.leader, wanted, nodes, changed, of_addons=refs, also=also)
        if found is None:
            self.run.warn(
                "the API does not say which objects it has: notes about them are trusted", self.leader.name
            )
        return found

    @cached_property
    def addons(self) -> tuple[ResolvedAddon, ...]:
        """Return the file's add-ons."""
        return tuple(addons.resolve(self.run.cluster))

    @property
    def dropped_addons(self) -> Mapping[str, Inventory]:
        """Return the add-ons that the cluster has and the file names no more."""
        return installed.dropped(self.live_addons, self.addons)

    def context(self, name: str, stage: StageDefinition, *, present: Sequence[str] = ()) -> StepContext:
        """Return what a stage is planned from on one host; `present` are the others that are there then."""
        session = self.run.sessions[name]
        ctx = replace(
            self._bare_context(session),
            leader=session is self.leader,
            live=self.live() if self._needs_live(session, stage) else None,
            birth=self.births.of.get(name),
            again=self.births.again.get(name),
            phases=self.phases(session.node),
            moving=self.moving and stage in BEFORE_THE_MOVE,
        )
        if session.node.role is Role.ETCD:
            return replace(ctx, leader=True, key_pairs=self._key_pairs(name))
        if session.node.role is Role.CONTROL_PLANE:
            ctx = replace(ctx, key_pairs=self._key_pairs(name))
        if stage is JOIN_WORKER:
            return replace(ctx, joined=self._joined)
        if stage is JOIN_CONTROL_PLANE:
            # It speaks for itself alone: it marks its own node, and notes that it has come.
            return replace(ctx, leader=True, joined=self._joined_control_plane)
        if session.node.role is not Role.CONTROL_PLANE:
            return ctx
        if session is self.leader and self.live_addons is not None:
            removing = tuple(self.dropped_addons.values()) if self.run.options.prune else ()
            live = self.live_addons
            ctx = replace(ctx, installed=live.installed, missing=live.missing, removing=removing)
        marked = present if stage is FINISH else self.control_planes
        first = None if session is self.leader else self.leader.node
        return replace(
            ctx,
            first=first,
            later=self.later.get(name, frozenset()),
            marked=tuple(self.run.cluster.node(each) for each in marked),
        )

    def _needs_live(self, session: Session, stage: StageDefinition) -> bool:
        return stage is PROXY_READS or (session is self.leader and stage in WITH_OBJECTS)

    def phases(self, node: Node) -> Selection:
        """Return what of kubeadm's phases is done on a host: what its document does not leave out."""
        cluster = self.run.cluster
        if node.role is Role.ETCD:
            return EVERYTHING
        founder = node.name in self.control_planes
        return Selection(skipped=cluster.init_skip_phases if founder else cluster.join_skip_phases)

    def _bare_context(self, session: Session) -> StepContext:
        return StepContext(
            self.run.cluster.at(session.node),
            session.node,
            session.facts,
            "apply",
            self.now,
            recorded=session.inventory.files,
            all_facts={name: other.facts for name, other in self.run.sessions.items()},
            artifacts=self.source.view,
            addons=self.addons,
            etcd_others=tuple(self.run.cluster.node(name) for name in self.etcd_hosts),
        )

    def _key_pairs(self, name: str) -> dict[str, bool]:
        if name not in self._looked_at:
            self._looked_at[name] = key_pairs.look(self.run.cluster, self.run.sessions[name])
        return self._looked_at[name]

    @cached_property
    def _looked_at(self) -> dict[str, dict[str, bool]]:
        return {}

    @cached_property
    def _joined(self) -> JoinedCluster:
        """Return the cluster as its workers join it: the file is the truth, and its CA is in our hands."""
        cluster = self.run.cluster
        return JoinedCluster(
            f"https://{cluster.endpoint}",
            b"" if self.run.options.dry_run and not self.running else self.producers.ca_pem(),
            # With the CA's key at hand nobody needs a token, which others could use.
            Secret(""),
            component_configs.kubelet_configuration(cluster),
            cluster_configuration(cluster),
            kubelet_credentials=self.producers.kubelets(self.joining),
            helper=f"https://{self.leader.node.local_endpoint}",
            nodes=self.nodes,
        )

    @cached_property
    def _joined_control_plane(self) -> JoinedCluster:
        return replace(self._joined, shared=self.shared_keys.described)

    @cached_property
    def shared_keys(self) -> SharedKeys:
        """Return what later control planes take over from the leader."""
        return shared_keys.of_host(self.run.cluster, self.leader, self.now)

    def shared_file(self, host: str, late: Late) -> bytes:
        """Return the content of a file that a later control plane takes over."""
        producer = self.shared_keys.table(self.producers.ca_pem())[control_plane_prepare.PRODUCER]
        return producer(host, late)

    def forget(self) -> None:
        """Drop all private keys."""
        self.producers.forget()
        if "shared_keys" in self.__dict__:
            self.shared_keys.forget()


def leading(sessions: Sequence[Session]) -> Session:
    """Return the control plane that knows what was applied and serves the API; at the beginning the first."""

    def fitness(session: Session) -> tuple[bool, bool]:
        noted = applied.AUTHORITY in session.facts.files
        return (noted and serves(session), noted)

    return max(sessions, key=fitness)


def serves(session: Session) -> bool:
    """Say whether an API server listened on this host when it was looked at."""
    return session.facts.listens(session.node.bind_port)


def _joins(session: Session) -> bool:
    """Say whether a worker has no credentials of its own yet."""
    files = session.facts.files
    return paths.KUBELET_CONF not in files or paths.BOOTSTRAP_KUBELET_CONF in files


def _tokens(cluster: ResolvedCluster) -> tuple[BootstrapToken, ...]:
    """Return the tokens that the file asks for: without any, apply needs none that outlives it."""
    return tuple(
        token if token.token is not None else replace(token, token=bootstrap.generate())
        for token in cluster.bootstrap_tokens
        if token != BootstrapToken()
    )
