"""Name the components that a cluster runs, and say why one of them is not ready."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeadm_py.addons.needs import ReadyObject
from kubeadm_py.model.cluster import ResolvedCluster

SYSTEM = "kube-system"
START_SECONDS = 120
_LOOKS = 5
_STATIC_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Name an object that must be ready."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Wanted:
        """Return the name of a live object."""
        return cls(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])


Trouble = tuple[Wanted, str, Mapping[str, Any] | None]
"""What is not ready, why, and the object where there is one."""


def wanted(cluster: ResolvedCluster, readiness: Iterable[ReadyObject]) -> list[Wanted]:
    """List what must be ready; what only a worker can run is left out where there is none."""
    static = ("etcd", *_STATIC_PODS) if cluster.etcd.local is not None else _STATIC_PODS
    listed = [
        Wanted("Pod", SYSTEM, f"{name}-{node.name}") for node in cluster.control_planes for name in static
    ]
    if not cluster.proxy_disabled:
        listed.append(Wanted("DaemonSet", SYSTEM, "kube-proxy"))
    if not cluster.dns.disabled:
        listed.append(Wanted("Deployment", SYSTEM, "coredns"))
    somewhere = has_free_node(cluster)
    listed += [
        Wanted(each.kind, each.namespace, each.name)
        for each in readiness
        if somewhere or not each.needs_worker
    ]
    return listed


def once_started(look: Callable[[], list[Trouble]], wait: Callable[[str, int], object]) -> list[Trouble]:
    """Return what `look` finds at last; `wait` runs a script that waits for what may get ready yet.

    The first worker's add-ons may still be starting when its join is over; and the pods of a kubelet that has
    started anew are not ready, each for a moment of its own. What is missing is not waited for.
    """
    ends = time.monotonic() + START_SECONDS
    troubles = look()
    for _ in range(_LOOKS):
        starting = [one for one, _, item in troubles if item is not None]
        left = int(ends - time.monotonic())
        if not starting or len(starting) < len(troubles) or left <= 0:
            break
        wait(waiting_script(starting, left), left)
        troubles = look()
    return troubles


def waiting_script(starting: Iterable[Wanted], seconds: int) -> str:
    """Return a script in which `kw` is kubectl that waits for all of them at once."""
    lines = []
    for one in starting:
        target = shlex.quote(f"{one.kind.lower()}/{one.name}")
        condition = {"Pod": "Ready", "APIService": "Available"}.get(one.kind)
        wait = f"wait {target} --for=condition={condition}" if condition else f"rollout status {target}"
        lines.append(
            f"kw -n {shlex.quote(one.namespace or 'default')} {wait} --timeout={seconds}s >/dev/null 2>&1 &"
        )
    return "\n".join([*lines, "wait"])


def has_free_node(cluster: ResolvedCluster) -> bool:
    """Say whether an ordinary pod can run somewhere."""
    return any(not node.effective_taints for node in cluster.nodes)


def workload_problem(one: Wanted, item: Mapping[str, Any] | None) -> str:
    """Return why an object is not ready; empty where it is."""
    if item is None:
        return "is missing"
    status, spec = item.get("status", {}), item.get("spec", {})
    if one.kind == "APIService":
        said = [each for each in status.get("conditions", []) if each["type"] == "Available"]
        good = any(each["status"] == "True" for each in said)
        return "" if good else f"does not answer: {said[0].get('message', '') if said else 'not asked yet'}"
    if one.kind == "Pod":
        ready = any(
            each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])
        )
        return "" if ready else f"is {status.get('phase', 'unknown')} and not ready"
    if one.kind == "DaemonSet":
        have, want = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    else:
        have, want = status.get("readyReplicas", 0), spec.get("replicas", 1)
    return "" if have >= want else f"{have} of {want} are ready"
