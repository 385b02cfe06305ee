"""Hold what a cluster is like at the moment: what `status` shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """Hold what one host says of itself, and the cluster of its node; what is not known is empty or None."""

    name: str
    role: str
    problem: str = ""
    """Why nothing is known of it: it was not reached."""
    ready: bool | None = None
    """Whether its node is Ready; None where the cluster has no such node, or could not be asked.

    A host of role etcd is no node.
    """
    why: str = ""
    """Why it is not Ready."""
    version: str = ""
    """Its kubelet's."""
    runtime: str = ""
    proxy_mode: str = ""
    """What kube-proxy does, asked of itself; empty where none answers, `disabled` where the file has none."""
    api: bool | None = None
    """Whether its API server is ready; None where it has none."""
    etcd: str = ""
    """`leader`, `member`, `learner` or what is wrong; empty where it runs none."""
    components: dict[str, str] | None = None
    """Static pods of the control plane -> version, with what is wrong behind it."""
    certificate: str = ""
    """The certificate that ends first."""
    ends: str = ""
    """When it ends, as RFC 3339."""
    days: int | None = None
    """How many days are left."""
    under_way: str = ""
    """Whose run is at work on it."""
    unsettled: bool = False
    """Whether a change was cut off: the next apply finishes it or takes it back."""


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """Hold how many pods of a workload there are to be, and work."""

    name: str
    namespace: str
    wanted: int
    ready: int


@dataclass(frozen=True, slots=True)
class OldPod:
    """Name a pod that reads its configuration at its start, and has not read the one that there is now."""

    name: str
    namespace: str
    node: str
    config_map: str
    changed: str
    """When the ConfigMap was changed."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """Hold all of it."""

    cluster: str
    version: str
    """The API servers', as one of them says it."""
    hosts: tuple[HostStatus, ...]
    workloads: tuple[WorkloadStatus, ...] = ()
    old_pods: tuple[OldPod, ...] = ()
    strangers: tuple[str, ...] = ()
    """Nodes of the cluster that the file does not name."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"type": "status", **asdict(self)}
