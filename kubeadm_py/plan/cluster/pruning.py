"""Name hosts that the config does not list any more, and take them out where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.node import Node
from kubeadm_py.model.stages import Stage
from kubeadm_py.plan.cluster.members import Members
from kubeadm_py.plan.leaving import etcd as leaving
from kubeadm_py.plan.leaving import remove as removing
from kubeadm_py.plan.leaving import strangers
from kubeadm_py.plan.run import Run

Confirm = Callable[[Sequence[str]], bool]
"""Ask whether these hosts are to go."""


@dataclass
class Pruning:
    """Hold which hosts are in the cluster and in the config no more."""

    run: Run
    members: Members
    confirm: Confirm | None = None
    """None: they are named, and stay."""
    hosts: tuple[Node, ...] = ()
    _removal: removing.Removal | None = field(default=None, repr=False)

    def find(self) -> None:
        """Ask the cluster, and work out beforehand what this run does to etcd's quorum.

        Raise KubeadmPyError where it would cost it. A cluster that cannot tell who is in it keeps nobody from
        being mended, but nobody is taken out of it either.
        """
        if not self.members.running:
            return
        cluster, leader = self.run.cluster, self.members.leader
        etcd = next((self.run.sessions[name] for name in self.members.etcd_hosts), None)
        try:
            found = self.members.membership()
        except KubeadmPyError:
            if self.confirm is not None:
                raise
            return
        if found.nodes:
            self.members.nodes = found.nodes
        self.hosts = strangers.find(cluster, found)
        joining = self.members.births.late
        if self.confirm is None or not self.hosts:
            if found.members:
                leaving.judge(found.members, (), joining)
            self._name()
            return
        # Its own connections and locks, those of the hosts that stay apart.
        run = replace(self.run, sessions=dict(self.run.sessions), changed=0)
        wish = removing.Wish(tuple(node.name for node in self.hosts))
        self._removal = removing.Removal(run, wish, leader=leader, joining=joining, etcd=etcd)
        self._removal.prepare()

    def _name(self) -> None:
        config = f" --config {self.run.config_name}" if self.run.config_name else ""
        for node in self.hosts:
            self.run.warn(
                f"{node.name} is in the cluster, and the config does not name it; it stays as it is",
                fix=f"kubeadm-py apply{config} --prune, or kubeadm-py remove {node.name}{config}",
            )

    def ask(self) -> None:
        """Have the removal confirmed before anything of the run is done; raise UsageError where it is not."""
        if self.confirm is None:
            return
        addons = (f"the add-on {name}" for name in self.members.dropped_addons)
        going = [*(node.name for node in self.hosts), *addons]
        if going and not self.confirm(going):
            raise UsageError(
                "not confirmed: nothing was changed", fix="leave --prune out to keep these hosts"
            )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return what is planned for them."""
        return self._removal.plan.stages if self._removal is not None else ()

    def carry_out(self) -> None:
        """Take them out."""
        if self._removal is None:
            return
        try:
            self._removal.carry_out()
        finally:
            self.run.changed += self._removal.run.changed

    def close(self) -> None:
        """Free what was locked for them alone."""
        if self._removal is None:
            return
        for name, session in self._removal.run.sessions.items():
            if name not in self.run.sessions:
                session.close()
