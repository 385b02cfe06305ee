"""Judge the hosts of a file, each by what it is in the cluster, and refuse before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kubeadm_py.addons import load as addons
from kubeadm_py.model.findings import Gate
from kubeadm_py.model.phases import PREFLIGHT
from kubeadm_py.plan import preflight, reach
from kubeadm_py.plan.cluster.members import Members
from kubeadm_py.plan.live import installed
from kubeadm_py.preflight.context import CheckContext, Reach

_NO_CLUSTER = "none"
"""Stands for the CA of a cluster that is not there yet: no host is a member of it."""


@dataclass
class Gates:
    """Hold whom the gates are for; raise PreflightRefused or KubeadmPyError where one stays shut."""

    members: Members

    def host(self) -> None:
        """Judge all hosts before the first byte is written anywhere."""
        members, run = self.members, self.members.run
        new = [name for name in run.sessions if not self._is_member(name)]
        tried: dict[str, dict[str, Reach]] = {}
        founding = (*members.control_planes, *members.etcd_hosts, *members.late_etcd_hosts)
        tried |= reach.survey(run, [name for name in new if name in founding])
        tried |= reach.survey(
            run,
            [name for name in new if name not in founding],
            # Where nobody answers at the endpoint yet, the API server counts that will stand behind it.
            endpoint=self._answering_endpoint,
            leader=members.leader,
        )
        installed.tell(run, members.addons)
        # First: nobody should bring images for a network that cannot come.
        installed.refuse_another_network(members.live_addons, members.addons, prune=run.options.prune)
        self._gate(Gate.HOST, tuple(run.sessions), tried)
        # A member that was cut off on its way in may be Ready by now: the name is its own.
        strangers = [name for name in members.joining if name in new]
        if members.running and strangers:
            self._refuse_taken_names(strangers)

    @property
    def _answering_endpoint(self) -> str:
        members = self.members
        if members.running and not members.moving:
            return members.run.cluster.endpoint
        return members.leader.node.local_endpoint

    def prepared(self, hosts: Sequence[str]) -> None:
        """Judge some hosts once they are prepared."""
        self._gate(Gate.PREPARED, hosts, {})

    def _gate(self, which: Gate, hosts: Sequence[str], tried: dict[str, dict[str, Reach]]) -> None:
        members, run = self.members, self.members.run
        contexts: list[CheckContext] = []
        for verb, names in (
            ("init", members.control_planes),
            ("join", (*members.late, *members.workers)),
            ("apply", (*members.etcd_hosts, *members.late_etcd_hosts)),
        ):
            chosen = [name for name in names if name in hosts and self._judged(name)]
            if chosen:
                contexts += preflight.contexts(
                    run,
                    chosen,
                    self._authority,
                    verb=verb,
                    reach=tried,
                    try_endpoint=which is Gate.HOST,
                    moving=members.moving,
                )
        found = preflight.findings(
            run,
            which,
            contexts,
            artifacts=members.source.view,
            addon_images=addons.images(members.addons, run.cluster),
        )
        run.report_findings(found)
        preflight.refuse(found, hosts=len(hosts), gate=which)

    def _judged(self, name: str) -> bool:
        return self.members.phases(self.members.run.cluster.node(name)).wants(PREFLIGHT)

    def _is_member(self, name: str) -> bool:
        return preflight.is_member(self.members.run, name, self._authority)

    @cached_property
    def _authority(self) -> str:
        """Return the cluster's CA: that of the first control plane which vouches for it by its inventory."""
        run = self.members.run
        for name in self.members.control_planes:
            if preflight.is_member(run, name, ""):
                return preflight.ca_public_key(run, name)
        return _NO_CLUSTER

    def _refuse_taken_names(self, strangers: Sequence[str]) -> None:
        """Refuse a name that a Ready node of the cluster has already (contract 8.3)."""
        members = self.members
        nodes = members.nodes if members.nodes is not None else members.membership().nodes
        preflight.refuse_taken_names(strangers, lambda name: bool(nodes.get(name)))
