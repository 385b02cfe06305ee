"""Say what a check looks at and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.host_needs import HostRequirements
from kubeadm_py.model.node import Node, Role


class Target(StrEnum):
    """Name a way into the cluster: the columns of kubeadm's table of checks."""

    INIT = "init"
    JOIN_CONTROL_PLANE = "join --control-plane"
    JOIN_WORKER = "join"
    ETCD_HOST = "etcd host"


EVERYWHERE = frozenset(Target)
CONTROL_PLANES = frozenset({Target.INIT, Target.JOIN_CONTROL_PLANE})
ETCD_MEMBERS = CONTROL_PLANES | {Target.ETCD_HOST}
NODES = EVERYWHERE - {Target.ETCD_HOST}
JOINS = frozenset({Target.JOIN_CONTROL_PLANE, Target.JOIN_WORKER})


class Reach(StrEnum):
    """Say how an attempt to connect ended."""

    OPEN = "open"
    REFUSED = "refused"
    """The host answered that nothing listens: it can be reached."""
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
    """The SSH server does not let us try (AllowTcpForwarding no)."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Hold what checks look at; one host at a time.

    `member` says that the host belongs to this cluster already: checks for absence then do not hold.
    """

    cluster: ResolvedCluster
    node: Node
    facts: HostFacts
    verb: str
    """`init` or `join`."""
    member: bool = False
    all_facts: Mapping[str, HostFacts] = field(default_factory=dict)
    """Node name -> facts of every host that this run has probed, this one included."""
    reach: Mapping[str, Reach] = field(default_factory=dict)
    """`host:port` -> how connecting to it from this host ended."""
    needs: HostRequirements = field(default_factory=HostRequirements)
    """What the cluster's add-ons need on each of its hosts."""
    vip_answers: Reach | None = None
    """How connecting to the vip ended where no control plane holds it yet; None: nobody has tried."""
    balancer_answers: Reach | None = None
    """How connecting to an external endpoint ended before it was relied on; None: nobody has tried."""
    moving: bool = False
    """The cluster runs, and its endpoint becomes another one."""

    @property
    def endpoint(self) -> str:
        """Return `host:port` by which the host finds the cluster; empty where nothing is known yet."""
        discovery = self.cluster.discovery
        if self.verb != "init" and discovery is not None and discovery.api_server_endpoint:
            return discovery.api_server_endpoint
        first = next(iter(self.cluster.control_planes), None)
        own = first.local_endpoint if first and (first.advertise_address or first.addresses) else ""
        return self.cluster.control_plane_endpoint or own

    @property
    def target(self) -> Target:
        """Return the way by which this host comes into the cluster."""
        if self.node.role is Role.ETCD:
            return Target.ETCD_HOST
        if self.verb == "init":
            return Target.INIT
        control_plane = self.node.role is Role.CONTROL_PLANE
        return Target.JOIN_CONTROL_PLANE if control_plane else Target.JOIN_WORKER


@dataclass(frozen=True, slots=True)
class Hit:
    """Hold what a check found; its name, severity and host come from the table and the context.

    `name` is for families (`Port-10250` of `Port-N`), `severity` for a check whose hits differ.
    """

    found: str
    fix: str = ""
    name: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Describe one check; `function` is pure and yields nothing where all is well."""

    name: str
    severity: Severity
    gate: Gate
    applies_to: frozenset[Target]
    doc: str
    function: Callable[[CheckContext], Iterable[Hit]]
    absence: bool = False
    """Looks for what a fresh host must not have: skipped for members."""
    moves: bool = False
    """Holds for members, too, where the endpoint moves: it is new to them."""
    shared: bool = False
    """Looks at what containers share with their machine: only a warning in one."""
    kubeadm: bool = True
    """Whether kubeadm has the check under this name."""
    tested: str = "probe"
    """`probe`: with saved answers of hosts; `node`: on real nodes too."""


def gibibytes(size: float) -> str:
    """Return bytes as people read them: `12.3 GiB`, `512 MiB`."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"
