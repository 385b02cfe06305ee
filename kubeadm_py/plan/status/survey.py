"""Look what a cluster is like: every host once, all at the same time, without a lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from kubeadm_py.addons import load as addons
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import asking, etcd
from kubeadm_py.kube.asking import NOTHING, Said
from kubeadm_py.model import paths, times
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.status import DISABLED, ClusterStatus, HostStatus, OldPod, WorkloadStatus
from kubeadm_py.pki import expiry
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.plan.status import questions as ask
from kubeadm_py.render.static_pods import COMPONENTS, ETCD

PROBED = ("files", "system")
"""Parts of the probe that a status is made of."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """Hold what was found, and why hosts were not reached."""

    status: ClusterStatus
    errors: tuple[KubeadmPyError, ...] = ()


def survey(run: Run) -> Surveyed:
    """Ask every host in one round trip; those that are not reached are told with their reason."""
    cluster = run.cluster
    errors: tuple[KubeadmPyError, ...] = ()
    try:
        run.look(
            cluster.nodes,
            lock=False,
            parts=PROBED,
            also=lambda node: ask.questions(cluster, node),
        )
    except RunFailedError as failed:
        errors = failed.errors
    said = {name: asking.answers(session.output) for name, session in run.sessions.items()}
    return Surveyed(status(cluster, run.sessions, said, errors, datetime.now(UTC)), errors)


def status(
    cluster: ResolvedCluster,
    sessions: Mapping[str, Session],
    said: Mapping[str, Mapping[str, Said]],
    errors: tuple[KubeadmPyError, ...],
    now: datetime,
) -> ClusterStatus:
    """Put together what the hosts said; of the cluster's objects one API server's word counts."""
    problems = {error.host: error.summary for error in errors}
    speaker = next((each for each in said.values() if each.get(ask.NODES, NOTHING).items), {})
    nodes = {item["metadata"]["name"]: item for item in speaker.get(ask.NODES, NOTHING).items}
    pods = speaker.get(ask.PODS, NOTHING).items
    members = _members(said)
    hosts = [
        _of_cluster(
            _of_host(cluster, node, sessions.get(node.name), said.get(node.name, {}), now),
            node,
            nodes.get(node.name),
            pods,
            members,
        )
        for node in cluster.nodes
    ]
    return ClusterStatus(
        cluster.name,
        str(speaker.get(ask.VERSION, NOTHING).document.get("gitVersion", "")),
        tuple(replace(host, problem=problems.get(host.name, "")) for host in hosts),
        tuple(_workloads(cluster, speaker)),
        tuple(_old_pods(speaker, pods)),
        tuple(name for name in nodes if name not in {node.name for node in cluster.nodes}),
    )


def _of_host(
    cluster: ResolvedCluster, node: Node, session: Session | None, said: Mapping[str, Said], now: datetime
) -> HostStatus:
    host = HostStatus(node.name, node.role.value)
    if session is None:
        return host
    files = session.facts.files
    host = replace(
        host,
        proxy_mode=_proxy_mode(cluster, node, said),
        under_way=session.under_way,
        unsettled=any(path.startswith(f"{paths.KEPT_DIR}/") for path in files),
    )
    if node.role is Role.WORKER:
        return host
    here = cluster.at(node)
    listed = [each for each in expiry.certificates(here, node, files) if each.expires is not None]
    if node.role is Role.CONTROL_PLANE:
        host = replace(host, api=said.get(ask.READY, NOTHING).output.strip() == b"ok")
    if not listed:
        return host
    first = min(listed, key=lambda each: each.expires or now)
    ends = first.expires or now
    return replace(host, certificate=first.name, ends=times.rfc3339(ends), days=(ends - now).days)


def _proxy_mode(cluster: ResolvedCluster, node: Node, said: Mapping[str, Said]) -> str:
    if node.role is Role.ETCD:
        return ""
    if not ask.runs_proxy(cluster):
        return DISABLED
    return said.get(ask.PROXY_MODE, NOTHING).output.decode(errors="replace").strip()[:20]


def _of_cluster(
    host: HostStatus,
    node: Node,
    found: Mapping[str, Any] | None,
    pods: list[dict[str, Any]],
    members: Mapping[str, str],
) -> HostStatus:
    """Add what the cluster says of a host's node."""
    host = replace(host, etcd=members.get(host.name, ""))
    if found is None:
        return host
    info = found.get("status", {}).get("nodeInfo", {})
    condition: dict[str, Any] = next(
        (each for each in found.get("status", {}).get("conditions", ()) if each.get("type") == "Ready"), {}
    )
    ready = condition.get("status") == "True"
    host = replace(
        host,
        ready=ready,
        why="" if ready else str(condition.get("message") or condition.get("reason") or "")[:200],
        version=str(info.get("kubeletVersion", "")),
        runtime=str(info.get("containerRuntimeVersion", "")).replace("://", " "),
    )
    if node.role is not Role.CONTROL_PLANE:
        return host
    names = (*([ETCD] if host.etcd else []), *COMPONENTS)
    return replace(host, components=dict(_components(host.name, names, pods)))


def _components(name: str, wanted: tuple[str, ...], pods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    named = {item["metadata"]["name"]: item for item in pods}
    for component in wanted:
        pod = named.get(f"{component}-{name}")
        if pod is None:
            yield component, "not there"
            continue
        [state, *_] = pod.get("status", {}).get("containerStatuses") or [{}]
        version = str(pod["spec"]["containers"][0].get("image", "")).rpartition(":")[2]
        yield component, version if state.get("ready") else f"{version} not ready"


def _members(said: Mapping[str, Mapping[str, Said]]) -> dict[str, str]:
    """Return what each etcd member is, as the first of them says it that answers."""
    for each in said.values():
        listed = etcd.members(each.get(ask.ETCD_MEMBERS, NOTHING).output)
        if not listed:
            continue
        answered = {
            found.member_id: found for found in etcd.endpoints(each.get(ask.ETCD_STATUS, NOTHING).output)
        }
        return {
            member.name: "does not answer"
            if member.id not in answered
            else answered[member.id].error
            or ("leader" if answered[member.id].leader else "learner" if member.learner else "member")
            for member in listed
        }
    return {}


def _workloads(cluster: ResolvedCluster, speaker: Mapping[str, Said]) -> Iterator[WorkloadStatus]:
    """Yield kube-proxy, CoreDNS and what makes the file's add-ons ready."""
    wanted = [("DaemonSet", "kube-system", "kube-proxy"), ("Deployment", "kube-system", "coredns")]
    ready = addons.readiness(addons.resolve(cluster))
    wanted += [(each.kind, each.namespace, each.name) for each in ready]
    found = {
        (kind, item["metadata"]["namespace"], item["metadata"]["name"]): item
        for name, kind in ask.WORKLOADS.items()
        for item in speaker.get(name, NOTHING).items
    }
    for key in dict.fromkeys(wanted):
        item = found.get(key)
        if item is None:
            continue
        status, (kind, namespace, name) = item.get("status", {}), key
        of_nodes = kind == "DaemonSet"
        number = status.get("desiredNumberScheduled", 0) if of_nodes else item["spec"].get("replicas", 0)
        well = status.get("numberReady", 0) if of_nodes else status.get("readyReplicas", 0)
        yield WorkloadStatus(name, namespace, int(number), int(well))


def _old_pods(speaker: Mapping[str, Said], pods: list[dict[str, Any]]) -> Iterator[OldPod]:
    """Yield the pods of kube-proxy that began before their ConfigMap was changed."""
    metadata = speaker.get(ask.CONFIG_MAP, NOTHING).document.get("metadata", {})
    changed = max(
        (
            str(entry.get("time", ""))
            for entry in metadata.get("managedFields", ())
            if "f:data" in entry.get("fieldsV1", {})
        ),
        default="",
    )
    for pod in pods:
        if pod["metadata"].get("labels", {}).get("k8s-app") != "kube-proxy":
            continue
        began = _began(pod)
        # Both are RFC 3339 in UTC to the second, so they compare as they are written.
        if changed and began and began < changed:
            name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
            yield OldPod(name, "kube-system", node, "kube-proxy", changed)


def _began(pod: Mapping[str, Any]) -> str:
    """Return when the pod's container began, which is when it read its configuration."""
    for state in pod.get("status", {}).get("containerStatuses") or ():
        running = state.get("state", {}).get("running") or {}
        return str(running.get("startedAt", ""))
    return ""
