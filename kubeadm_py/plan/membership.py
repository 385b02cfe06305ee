"""Ask a control plane who is in the cluster: nodes, etcd members, and whether they answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd, kubectl
from kubeadm_py.model.cluster import CONTROL_PLANE_LABELS, Node, ResolvedCluster, split_host_port
from kubeadm_py.model.quorum import Member
from kubeadm_py.plan.discover import is_ready
from kubeadm_py.steps.etcd_cluster import peer_url

TIMEOUT_SECONDS = 60.0
_NODES, _CONFIG, _MEMBERS, _HEALTH = "nodes", "config", "members", "health"
_MARK = "##kubeadm-py member "
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
        url = peer_url(node) if node.addresses else ""
        for member in self.members:
            if url and url in member.peer_urls:
                return member
        return next((member for member in self.members if member.name == node.name), None)

    def leads_to(self, node: Node) -> bool:
        """Say whether the cluster's endpoint is this host's own address."""
        return bool(self.endpoint) and split_host_port(self.endpoint)[0] in (*node.addresses, node.name)


def survey(cluster: ResolvedCluster, session: Session, etcd_host: Session | None = None) -> Membership:
    """Ask a control plane, and a host of role etcd where members run on those, in one round trip each.

    Raise KubeadmPyError where API or etcd do not answer.
    """
    stacked = cluster.etcd.local is not None
    said = _ask(session, _script(_etcd_questions(cluster) if stacked else "", _API_QUESTIONS))
    if etcd_host is not None:
        said |= _ask(etcd_host, _script(_etcd_questions(cluster)))
    nodes = {item["metadata"]["name"]: item for item in _json(said.get(_NODES, b"")).get("items") or ()}
    return Membership(
        {name: is_ready(item) for name, item in nodes.items()},
        str(_live(said.get(_CONFIG, b"")).get("controlPlaneEndpoint") or ""),
        _members(said),
        {name: _addresses(item) for name, item in nodes.items()},
        frozenset(name for name, item in nodes.items() if _LABEL in (item["metadata"].get("labels") or {})),
    )


def _addresses(node: Mapping[str, Any]) -> tuple[str, ...]:
    listed = node.get("status", {}).get("addresses") or ()
    return tuple(str(each["address"]) for each in listed if each.get("type") == "InternalIP")


def members(cluster: ResolvedCluster, session: Session) -> tuple[Member, ...]:
    """Ask a host that runs a member who else does; raise KubeadmPyError where it cannot say."""
    return _members(_ask(session, _script(_etcd_questions(cluster))))


def _members(said: dict[str, bytes]) -> tuple[Member, ...]:
    if _MEMBERS not in said:
        return ()
    return tuple(etcd.members(said[_MEMBERS], etcd.healthy(said.get(_HEALTH, b""))))


def _ask(session: Session, script: str) -> dict[str, bytes]:
    result = session.host.run(script, timeout=TIMEOUT_SECONDS)
    if result.ok:
        return _fields(result.stdout)
    lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
    raise KubeadmPyError(
        "this host cannot say who is in the cluster",
        host=session.name,
        details=[line[:300] for line in lines[-5:]],
        fix="crictl ps -a     (on that host, as root); without a quorum of etcd nothing can be changed",
    )


def etcdctl(cluster: ResolvedCluster, *words: str) -> str:
    """Return an etcdctl command line for a control plane of this cluster."""
    return etcd.command(words, certificates_dir=cluster.certificates_dir, timeout="5s")


def _question(name: str, command: str, *, may_fail: bool = False) -> str:
    failure = "" if may_fail else " || exit 1"
    return (
        f"answer=$({command}){failure}\nprintf '{_MARK}{name} '; printf '%s' \"$answer\" | base64 -w0; echo\n"
    )


def _etcd_questions(cluster: ResolvedCluster) -> str:
    # The second fails where any member is not well, and says which.
    return _question(_MEMBERS, etcdctl(cluster, "member", "list", "-w", "json")) + _question(
        _HEALTH, etcdctl(cluster, "endpoint", "health", "--cluster", "-w", "json"), may_fail=True
    )


_CONFIG_MAP = ["get", "configmap", "kubeadm-config", "-n", "kube-system"]
_API_QUESTIONS = _question(_NODES, kubectl.command(["get", "nodes", "-o", "json"])) + _question(
    _CONFIG, kubectl.command([*_CONFIG_MAP, "-o", "jsonpath={.data.ClusterConfiguration}"])
)


def _script(*questions: str) -> str:
    return "# ask who is in the cluster\n" + "".join(questions)


def _fields(output: bytes) -> dict[str, bytes]:
    found = {}
    for line in output.splitlines():
        if line.startswith(_MARK.encode()):
            name, _, value = line[len(_MARK) :].partition(b" ")
            found[name.decode()] = base64.b64decode(value)
    return found


def _json(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _live(raw: bytes) -> dict[str, Any]:
    try:
        found = yaml.load(raw, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, dict) else {}
