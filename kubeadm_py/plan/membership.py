"""Ask a control plane who is in the cluster: nodes, etcd members, and whether they answer."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import yaml

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd, kubectl
from kubeadm_py.model.cluster import Node, ResolvedCluster, split_host_port
from kubeadm_py.model.quorum import Member
from kubeadm_py.plan.discover import is_ready
from kubeadm_py.steps.etcd_cluster import peer_url

TIMEOUT_SECONDS = 60.0
_NODES, _CONFIG, _MEMBERS, _HEALTH = "nodes", "config", "members", "health"
_MARK = "##kubeadm-py member "


@dataclass(frozen=True, slots=True)
class Membership:
    """Hold who is in the cluster, as one control plane sees it."""

    nodes: dict[str, bool]
    """Node name -> whether it is Ready."""
    endpoint: str
    """The live controlPlaneEndpoint; empty where there is none."""
    members: tuple[Member, ...] = ()
    """Empty where others run etcd."""

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


def survey(cluster: ResolvedCluster, session: Session) -> Membership:
    """Ask in one round trip; raise KubeadmPyError where API or etcd do not answer."""
    stacked = cluster.etcd.local is not None
    result = session.host.run(_script(cluster, stacked), timeout=TIMEOUT_SECONDS)
    said = _fields(result.stdout)
    if not result.ok:
        lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise KubeadmPyError(
            "this control plane cannot say who is in the cluster",
            host=session.name,
            details=[line[:300] for line in lines[-5:]],
            fix="crictl ps -a     (on that host, as root); without a quorum of etcd nothing can be changed",
        )
    nodes = _json(said.get(_NODES, b"")).get("items") or ()
    health = said.get(_HEALTH, b"")
    return Membership(
        {item["metadata"]["name"]: is_ready(item) for item in nodes},
        str(_live(said.get(_CONFIG, b"")).get("controlPlaneEndpoint") or ""),
        tuple(etcd.members(said.get(_MEMBERS, b""), etcd.healthy(health))) if stacked else (),
    )


def etcdctl(cluster: ResolvedCluster, *words: str) -> str:
    """Return an etcdctl command line for a control plane of this cluster."""
    return etcd.command(words, certificates_dir=cluster.certificates_dir, timeout="5s")


def _script(cluster: ResolvedCluster, stacked: bool) -> str:
    def ask(name: str, command: str, *, may_fail: bool = False) -> str:
        failure = "" if may_fail else " || exit 1"
        return (
            f"answer=$({command}){failure}\n"
            f"printf '{_MARK}{name} '; printf '%s' \"$answer\" | base64 -w0; echo\n"
        )

    config = ["get", "configmap", "kubeadm-config", "-n", "kube-system"]
    script = "# ask who is in the cluster\n"
    if stacked:
        script += ask(_MEMBERS, etcdctl(cluster, "member", "list", "-w", "json"))
        # It fails where any member is not well, and says which.
        script += ask(
            _HEALTH, etcdctl(cluster, "endpoint", "health", "--cluster", "-w", "json"), may_fail=True
        )
    script += ask(_NODES, kubectl.command(["get", "nodes", "-o", "json"]))
    script += ask(_CONFIG, kubectl.command([*config, "-o", "jsonpath={.data.ClusterConfiguration}"]))
    return script


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
