"""Ask a control plane who is in the cluster: nodes, etcd members, and whether they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import asking, etcd, kubectl
from kubeadm_py.kube.asking import NOTHING, Said
from kubeadm_py.model import quorum
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.live import is_ready
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.node import CONTROL_PLANE_LABELS, Node
from kubeadm_py.model.quorum import Member
from kubeadm_py.steps.etcd.cluster import peer_url

ETCD_TIMEOUT = "5s"
"""How long etcdctl may take for one command, as etcdctl reads it."""
TIMEOUT_SECONDS = 60.0
LISTED, _MEMBERS, _HEALTH = "listed", "members", "health"
LISTING = ("get", "nodes,csr,configmaps", "-n", "kube-system", "-o", "json", "--show-managed-fields")
"""What kubectl is to list, in one go: it takes a while to start."""
_LABEL = next(iter(CONTROL_PLANE_LABELS))


@dataclass(frozen=True, slots=True)
class Membership:
    """Hold who is in the cluster, as one control plane sees it."""

    nodes: dict[str, bool]
    """Node name -> whether it is Ready."""
    endpoint: str
    """The live controlPlaneEndpoint; empty where there is none."""
    members: tuple[Member, ...] = ()
    """Empty where others run etcd."""
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Node name -> its addresses, as its kubelet has them."""
    control_planes: frozenset[str] = frozenset()
    """The nodes that bear a control plane's label."""

    def member_of(self, node: Node) -> Member | None:
        """Return the etcd member on a host, by its peer URL, else by its name."""
        return quorum.find(self.members, [peer_url(node)] if node.addresses else [], node.name)

    def leads_to(self, node: Node) -> bool:
        """Say whether the cluster's endpoint is this host's own address."""
        return bool(self.endpoint) and split_host_port(self.endpoint)[0] in (*node.addresses, node.name)


def survey(cluster: ResolvedCluster, session: Session, etcd_host: Session | None = None) -> Membership:
    """Ask a control plane, and a host of role etcd where members run on those, in one round trip each.

    Raise KubeadmPyError where API or etcd do not answer.
    """
    return found(cluster, session, _ask(session, {**listing(), **etcd_questions(cluster)}), etcd_host)


def found(
    cluster: ResolvedCluster,
    session: Session,
    said: Mapping[str, Said],
    etcd_host: Session | None = None,
    items: Sequence[Mapping[str, Any]] | None = None,
) -> Membership:
    """Return what a control plane has said to LISTING and `etcd_questions`; `items`: what it has listed.

    An `etcd_host` is asked who the members are. Raise KubeadmPyError where API or etcd did not answer.
    """
    known = of_nodes(session, said, items)
    if etcd_host is not None:
        return replace(known, members=members(cluster, etcd_host))
    if cluster.etcd.local is not None:
        return replace(known, members=_members(session, said))
    return known


def of_nodes(
    session: Session, said: Mapping[str, Said], items: Sequence[Mapping[str, Any]] | None = None
) -> Membership:
    """Return what a control plane has said to LISTING, without etcd's members; raise where it did not."""
    if items is None:
        items = said.get(LISTED, NOTHING).items
    if not items:
        raise _cannot_say(session, said.get(LISTED, NOTHING))
    nodes = {item["metadata"]["name"]: item for item in items if item.get("kind") == "Node"}
    return Membership(
        {name: is_ready(item) for name, item in nodes.items()},
        _endpoint(items),
        (),
        {name: _addresses(item) for name, item in nodes.items()},
        frozenset(name for name, item in nodes.items() if _LABEL in (item["metadata"].get("labels") or {})),
    )


def listing() -> dict[str, str]:
    """Return the question after the cluster's nodes, by its name."""
    return {LISTED: kubectl.command(LISTING)}


def _addresses(node: Mapping[str, Any]) -> tuple[str, ...]:
    listed = node.get("status", {}).get("addresses") or ()
    return tuple(str(each["address"]) for each in listed if each.get("type") == "InternalIP")


def members(cluster: ResolvedCluster, session: Session) -> tuple[Member, ...]:
    """Ask a host that runs a member who else does; raise KubeadmPyError where it cannot say."""
    return _members(session, _ask(session, _of_members(cluster)))


def _members(session: Session, said: Mapping[str, Said]) -> tuple[Member, ...]:
    listed = said.get(_MEMBERS, NOTHING)
    if not listed.ok:
        raise _cannot_say(session, listed)
    return tuple(etcd.members(listed.output, etcd.healthy(said.get(_HEALTH, NOTHING).output)))


def _ask(session: Session, questions: Mapping[str, str]) -> dict[str, Said]:
    script = f"# ask who is in the cluster\n{asking.script(questions)}"
    result = session.host.run(script, timeout=TIMEOUT_SECONDS)
    return asking.answers(result.stdout)


def _cannot_say(session: Session, said: Said) -> KubeadmPyError:
    return KubeadmPyError(
        "this host cannot say who is in the cluster",
        host=session.name,
        details=said.error_lines(),
        fix="crictl ps -a     (on that host, as root); without a quorum of etcd nothing can be changed",
    )


def etcdctl(cluster: ResolvedCluster, *words: str) -> str:
    """Return an etcdctl command line for a control plane of this cluster."""
    return etcd.command(words, etcd.Access.of_member(cluster.certificates_dir), timeout=ETCD_TIMEOUT)


def etcd_questions(cluster: ResolvedCluster) -> dict[str, str]:
    """Return what a control plane is asked about etcd's members; nothing where they are not on those."""
    return _of_members(cluster) if cluster.etcd.local is not None else {}


def _of_members(cluster: ResolvedCluster) -> dict[str, str]:
    return {
        _MEMBERS: etcdctl(cluster, "member", "list", "-w", "json"),
        # It fails where any member is not well, and says which.
        _HEALTH: etcdctl(cluster, "endpoint", "health", "--cluster", "-w", "json"),
    }


def _endpoint(items: Sequence[Mapping[str, Any]]) -> str:
    for item in items:
        if (item.get("kind"), item["metadata"]["name"]) == ("ConfigMap", "kubeadm-config"):
            text = (item.get("data") or {}).get("ClusterConfiguration")
            return str(_live(text or "").get("controlPlaneEndpoint") or "")
    return ""


def _live(text: str) -> dict[str, Any]:
    try:
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, dict) else {}
