"""Judge hosts that join, and refuse before anything of them is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubeadm_py.model.findings import Gate
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.phases import PREFLIGHT, Selection
from kubeadm_py.pki import pem
from kubeadm_py.plan import preflight, reach
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.joining import discover
from kubeadm_py.plan.joining.leader import Leader
from kubeadm_py.plan.joining.servers import endpoint_of
from kubeadm_py.plan.run import Run
from kubeadm_py.preflight.context import Reach


@dataclass(frozen=True, slots=True)
class Gates:
    """Hold what hosts are judged by; raise PreflightRefused or KubeadmPyError where a gate stays shut."""

    run: Run
    source: Source
    phases: Selection
    joined: JoinedCluster
    leader: Leader | None
    images: list[str]
    """Those of the add-ons."""

    def host(self, names: Sequence[str]) -> tuple[str, ...]:
        """Judge hosts before the first byte is written there; return those that are members already."""
        already = tuple(name for name in names if preflight.is_member(self.run, name, self._authority))
        tried = reach.survey(
            self.run,
            [name for name in names if name not in already],
            endpoint=endpoint_of(self.joined.server),
            leader=self.leader.session if self.leader else None,
        )
        self._gate(Gate.HOST, names, tried)
        return already

    def refuse_taken_names(self, strangers: Sequence[str]) -> None:
        """Refuse a name that a Ready node of the cluster has already (contract 8.3)."""
        preflight.refuse_taken_names(strangers, self._is_taken)

    def prepared(self, names: Sequence[str]) -> None:
        """Judge hosts once they are prepared."""
        self._gate(Gate.PREPARED, names, {})

    def _gate(self, which: Gate, names: Sequence[str], tried: Mapping[str, Mapping[str, Reach]]) -> None:
        if not self.phases.wants(PREFLIGHT):
            return
        preflight.gate(
            self.run,
            which,
            names,
            artifacts=self.source.view,
            addon_images=self.images,
            member_of=self._authority,
            reach=tried,
        )

    @property
    def _authority(self) -> str:
        """Return the cluster's CA, as hosts note whose members they are."""
        return pem.public_key_hashes(self.joined.ca_pem)[0].removeprefix("sha256:")

    def _is_taken(self, name: str) -> bool:
        if self.leader is not None:
            return name in self.leader.ready_nodes
        return discover.taken(self.run.sessions[name], self.joined)
