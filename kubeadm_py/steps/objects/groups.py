"""List the API objects of a cluster in groups: those of kubeadm's phases, those of add-ons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeadm_py.model import live, paths
from kubeadm_py.model.actions import (
    FileSpec,
    Late,
)
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.versions import KUBELET_CLIENT_BINDING_SINCE
from kubeadm_py.render import objects
from kubeadm_py.steps import applied
from kubeadm_py.steps.base import StepContext, is_so
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.objects.addons import AddonObjects

CLUSTER_INFO_PRODUCER = "cluster-info"
"""Its Late.args is the server's URL."""
TOKEN_PRODUCER = "bootstrap-token"  # noqa: S105 - a producer's name
"""Its Late.args is the BootstrapToken."""
COREDNS_PRODUCER = "coredns"
"""Its Late.args is the Deployment; the producer puts in the live number of replicas."""
ADMIN_RBAC = "admin-rbac"
CLUSTER_INFO = "ConfigMap kube-public/cluster-info"
BOOTSTRAP_TOKEN = "bootstrap-token"  # noqa: S105 - kubeadm's name of a phase
COREDNS = "addon/coredns"
KUBE_PROXY = "addon/kube-proxy"
PHASES = ("upload-config/kubeadm", "upload-config/kubelet", BOOTSTRAP_TOKEN, COREDNS, KUBE_PROXY)
"""kubeadm's phases that are groups of objects."""


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the objects of one of kubeadm's phases, or of one add-on."""

    phase: str
    objects: tuple[Mapping[str, Any] | Late, ...]
    addon: AddonObjects | None = None

    @property
    def types(self) -> tuple[Mapping[str, Any] | Late, ...]:
        """Return the types that must be served before the objects are applied."""
        return self.addon.types if self.addon else ()

    @property
    def everything(self) -> tuple[Mapping[str, Any] | Late, ...]:
        """Return the objects behind what keeps track of them."""
        return (self.addon.inventory, *self.objects) if self.addon else self.objects

    @property
    def marker(self) -> FileSpec:
        """Return the file that says which form of this group was applied; secrets do not count."""
        known = [
            _known(item)
            for item in (*self.types, *self.objects)
            if not (isinstance(item, Late) and item.producer == TOKEN_PRODUCER)
        ]
        digest = sha256(json.dumps(known, sort_keys=True).encode())
        return FileSpec(marker_path(self.phase), f"{digest}\n".encode(), 0o600)


def _known(item: Mapping[str, Any] | Late) -> Mapping[str, Any]:
    if not isinstance(item, Late):
        return item
    wanted: Mapping[str, Any] = item.args if item.producer == COREDNS_PRODUCER else dict(item.spec)
    return wanted


def marker_path(phase: str) -> str:
    """Return the path of a group's marker."""
    return f"{paths.APPLIED_DIR}/{phase.replace('/', '-')}"


def addon_phase(name: str) -> str:
    """Return the name of an add-on's group, which is no phase of kubeadm."""
    return f"addons/{name}"


def groups(ctx: StepContext) -> list[Group]:
    """List all groups of objects in the order of their creation."""
    cluster = ctx.cluster
    listed = [
        Group(ADMIN_RBAC, _all(objects.cluster_admins_binding())),
        Group("upload-config/kubeadm", _all(objects.kubeadm_config(cluster))),
        Group("upload-config/kubelet", _all(objects.kubelet_config_map(cluster))),
        Group(
            BOOTSTRAP_TOKEN,
            (
                *_tokens(ctx),
                *objects.bootstrap_rbac(),
                *_kubelet_client(ctx),
                *_cluster_info(ctx),
            ),
        ),
    ]
    if not cluster.dns.disabled:
        listed.append(Group(COREDNS, _coredns(ctx)))
    if not cluster.proxy_disabled:
        listed.append(Group(KUBE_PROXY, _all(objects.kube_proxy(cluster, environment=ctx.facts.environment))))
    listed += [
        Group(addon_phase(each.item.name), each.staged.workloads, each) for each in addon_objects.of(ctx)
    ]
    chosen = [group for group in listed if _wanted(group, ctx)]
    # What gives administrators their rights is no phase of kubeadm's: it goes with the first object.
    return chosen if any(group.phase != ADMIN_RBAC for group in chosen) else []


def of_phases(ctx: StepContext) -> list[Group]:
    """Return the groups of the phases that this run does, without those that only go with them."""
    return [group for group in groups(ctx) if group.phase != ADMIN_RBAC]


def _wanted(group: Group, ctx: StepContext) -> bool:
    if group.phase == ADMIN_RBAC:
        # Who names a kubeconfig vouches for its rights, as with kubeadm.
        return not ctx.kubeconfig
    return ctx.phases.wants(group.phase) and not skipped(group.phase, ctx.cluster)


def name(item: Mapping[str, Any] | Late) -> str:
    """Name an object as `KIND NAMESPACE/NAME`; of one that is made late, say what it is for."""
    if not isinstance(item, Late):
        return live.key(item)
    if item.producer == COREDNS_PRODUCER:
        return live.key(item.args)
    if item.producer == CLUSTER_INFO_PRODUCER:
        return CLUSTER_INFO
    return ", ".join(f"{key}: {value}" for key, value in item.spec.items())


def comparable(ctx: StepContext) -> tuple[list[Mapping[str, Any]], frozenset[str]]:
    """Return the objects that can be compared with the live ones, and which changed since they were applied.

    Bootstrap tokens end by themselves; CoreDNS keeps the replicas that it was scaled to.
    """
    found: list[Mapping[str, Any]] = []
    changed: set[str] = set()
    for group in groups(ctx):
        items = [form for item in group.objects if (form := _form(item, ctx)) is not None]
        found += items
        if not is_so(group.marker, ctx.facts):
            changed |= {live.key(item) for item in items}
    return found, frozenset(changed)


def _form(item: Mapping[str, Any] | Late, ctx: StepContext) -> Mapping[str, Any] | None:
    if not isinstance(item, Late):
        return item
    if item.producer == COREDNS_PRODUCER:
        spec = {key: value for key, value in item.args["spec"].items() if key != "replicas"}
        return {**item.args, "spec": spec}
    authority = ctx.facts.files.get(f"{ctx.cluster.certificates_dir}/ca.crt")
    if item.producer == CLUSTER_INFO_PRODUCER and authority is not None and authority.content:
        return objects.cluster_info(item.args, authority.content)[0]
    return None


def _all(items: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | Late, ...]:
    return tuple(items)


def _coredns(ctx: StepContext) -> tuple[Mapping[str, Any] | Late, ...]:
    """Return CoreDNS; where this cluster has it already, it keeps the replicas that it was scaled to."""
    items = _all(objects.coredns(ctx.cluster))
    if marker_path(COREDNS) not in ctx.facts.files or not applied.same_cluster(ctx):
        return items
    if ctx.cluster.dns.replicas:
        return items
    # Where a patch sets the replicas it has the last word, as with kubeadm.
    if items == _all(objects.coredns(ctx.cluster, replicas=objects.COREDNS_REPLICAS + 1)):
        return items
    spec = {"Deployment": "kube-system/coredns", "replicas": "as many as there are"}
    return tuple(
        Late(COREDNS_PRODUCER, spec, item)
        if isinstance(item, Mapping) and item["kind"] == "Deployment"
        else item
        for item in items
    )


def _tokens(ctx: StepContext) -> tuple[Late, ...]:
    """Return the config's tokens, once a cluster: a later init must not bring ended or deleted ones back."""
    once = not ctx.phases.names(BOOTSTRAP_TOKEN)
    if once and marker_path(BOOTSTRAP_TOKEN) in ctx.facts.files and not applied.another_cluster(ctx):
        return ()
    return tuple(
        Late(TOKEN_PRODUCER, {"bootstrap token": token.description or "for joining nodes"}, token)
        for token in ctx.cluster.bootstrap_tokens
    )


def _cluster_info(ctx: StepContext) -> tuple[Mapping[str, Any] | Late, ...]:
    server = f"https://{ctx.cluster.endpoint}"
    late = Late(CLUSTER_INFO_PRODUCER, {"ConfigMap": "kube-public/cluster-info", "server": server}, server)
    _, *rbac = objects.cluster_info(server, b"")
    return (late, *rbac)


def _kubelet_client(ctx: StepContext) -> list[Mapping[str, Any]]:
    if ctx.cluster.kubernetes_version < KUBELET_CLIENT_BINDING_SINCE:
        return []
    return list(objects.kubelet_client_binding())


def skipped(phase: str, cluster: ResolvedCluster) -> bool:
    """Say whether init leaves this group out."""
    return any(phase == name or phase.startswith(f"{name}/") for name in cluster.init_skip_phases)
