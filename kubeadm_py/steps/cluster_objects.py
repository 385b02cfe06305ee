"""Plan the cluster's API objects: one server-side apply for all groups that changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.model import live, paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    FileSpec,
    Guard,
    KeptObjects,
    Late,
    RunScript,
    Settle,
)
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.versions import KUBELET_CLIENT_BINDING_SINCE
from kubeadm_py.render import objects
from kubeadm_py.render.endpoint import CONFIG_ANNOTATION
from kubeadm_py.steps import addon_objects, applied, proxy_waits, waits
from kubeadm_py.steps.addon_objects import AddonObjects
from kubeadm_py.steps.base import Step, StepContext, is_so, write
from kubeadm_py.steps.wait_control_plane import admin_kubeconfig

CLUSTER_INFO_PRODUCER = "cluster-info"
"""Its Late.args is the server's URL."""
TOKEN_PRODUCER = "bootstrap-token"  # noqa: S105 - a producer's name
"""Its Late.args is the BootstrapToken."""

COREDNS_PRODUCER = "coredns"
"""Its Late.args is the Deployment; the producer puts in the live number of replicas."""

ROLL_MANAGER = "kubeadm-py-roll"
PROXY_READY_SECONDS = 5
"""How long a kube-proxy has to run on a node before the next one is replaced."""
_PROXY = ("configmap/kube-proxy", "daemonset/kube-proxy")

ADMIN_RBAC = "admin-rbac"
BY_HAND = "changed by hand (drift)"
DELETED = "deleted by hand (drift)"
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


def plan(ctx: StepContext) -> list[Action]:
    """Apply the groups whose objects are not the ones applied last to this cluster, in one call.

    Groups that are asked for by name are applied whatever is noted: somebody may have deleted them.
    """
    return [] if ctx.moving else _apply(ctx, groups(ctx))


def plan_kube_proxy(ctx: StepContext) -> list[Action]:
    """Apply kube-proxy alone: of a running cluster it is moved to another endpoint before the rest."""
    return _apply(ctx, [group for group in groups(ctx) if group.phase == KUBE_PROXY])


def rolls_kube_proxy(ctx: StepContext) -> bool:
    """Say whether pods of kube-proxy that are at work would be replaced."""
    return any(isinstance(action, Guard) for action in plan_kube_proxy(ctx))


def plan_others(ctx: StepContext) -> list[Action]:
    """Apply all but kube-proxy: who joins from now on finds the new endpoint."""
    return _apply(ctx, [group for group in groups(ctx) if group.phase != KUBE_PROXY])


def _apply(ctx: StepContext, among: Sequence[Group]) -> list[Action]:
    known = applied.same_cluster(ctx) and not ctx.phases.only
    chosen: list[Group] = []
    markers: list[FileSpec] = []
    why: dict[str, str] = {}
    for group in among:
        noted = known and is_so(group.marker, ctx.facts)
        as_noted = noted and _is_so(group, ctx)
        fitting = group
        if ctx.live is not None and known and (as_noted or _is_plain(group, ctx)):
            # Of what was applied before, only the objects that are not so any more.
            items = tuple(item for item in group.objects if _differs(item, ctx.live))
            fitting = Group(group.phase, items)
        elif as_noted:
            continue
        why |= {name(item): _why(item, group, ctx, noted=noted) for item in fitting.everything}
        if fitting.everything:
            chosen.append(fitting)
        if fitting.everything or not as_noted:
            markers.append(group.marker)
    rolled = [group for group in among if known and _is_at_work(group, ctx) and _holds(chosen, group)]
    phases = [group.phase for group in rolled]
    others = [group for group in chosen if group.phase not in phases]
    own = [group.marker for group in rolled]
    return [
        *_in_stages(ctx, others, why),
        *_note(ctx, [marker for marker in markers if marker not in own], others),
        *(
            action
            for group in rolled
            for action in _roll(ctx, group, [each for each in chosen if each.phase == group.phase], why)
        ),
    ]


def _note(ctx: StepContext, markers: list[FileSpec], chosen: Sequence[Group]) -> list[Action]:
    reason = ", ".join(group.phase for group in chosen)
    return write(markers, ctx.facts, title="note what was applied", reason=reason)


def _is_at_work(group: Group, ctx: StepContext) -> bool:
    """Say whether pods of this group run with the configuration that changes."""
    missing = ctx.live.missing if ctx.live is not None else frozenset()
    return (
        group.phase == KUBE_PROXY
        and group.marker.path in ctx.facts.files
        and missing.isdisjoint(map(name, group.objects))
    )


def _is_plain(group: Group, ctx: StepContext) -> bool:
    """Say whether an earlier form of a group was applied, and nothing but its objects follows from it."""
    return group.addon is None and group.marker.path in ctx.facts.files


def _holds(chosen: Sequence[Group], group: Group) -> bool:
    return any(each.phase == group.phase for each in chosen)


def _why(item: Mapping[str, Any] | Late, group: Group, ctx: StepContext, *, noted: bool) -> str:
    if not noted or ctx.live is None or not ctx.live.differs(name(item)):
        return f"of {group.phase}"
    return DELETED if name(item) in ctx.live.missing else BY_HAND


def _differs(item: Mapping[str, Any] | Late, there: LiveObjects) -> bool:
    return name(item) not in there.there or there.differs(name(item))


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


def _roll(ctx: StepContext, group: Group, fitting: Sequence[Group], why: Mapping[str, str]) -> list[Action]:
    """Have kube-proxy's pods replaced, node by node, where their ConfigMap changes: they read it at start.

    What says so is an annotation that is no part of the object, and so is how long one has to run before the
    next is replaced: the next apply leaves both alone. Where one does not run, all is put back.
    """
    config_map = next(
        item for item in group.objects if isinstance(item, Mapping) and item["kind"] == "ConfigMap"
    )
    digest = sha256(json.dumps(config_map["data"], sort_keys=True).encode())[:16]
    noted = is_so(group.marker, ctx.facts)
    if noted and ctx.live is not None and ctx.live.differs(name(config_map)):
        # Pods may have read what somebody wrote, and are annotated as those with the right one are.
        digest += f"-{ctx.now:%Y%m%d%H%M%S}"
    template = {"metadata": {"annotations": {CONFIG_ANNOTATION: digest}}}
    patch = shlex.quote(json.dumps({"spec": {"minReadySeconds": PROXY_READY_SECONDS, "template": template}}))
    kubeconfig, server = admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}"
    wait = proxy_waits.rolled(len(ctx.cluster.nodes), kubeconfig, server)
    kept = KeptObjects(_PROXY, "kube-system", kubeconfig, server)
    return [
        Guard(objects=kept, recover=(wait,), name="kube-proxy"),
        *_in_stages(ctx, fitting, why),
        RunScript(
            "replace kube-proxy's pods",
            f"answer=$({waits.kubectl(kubeconfig, server)} patch daemonset/kube-proxy -n kube-system"
            f" --field-manager {ROLL_MANAGER} -p {patch})\n"
            "case $answer in *'(no change)'*) echo unchanged ;; esac",
            reason="their ConfigMap changed",
        ),
        wait,
        Settle(),
        # The note comes last: a run that was cut before has the pods replaced by the next one.
        *_note(ctx, [group.marker], fitting),
    ]


def types_to_fetch(ctx: StepContext) -> list[tuple[str, str]]:
    """List (add-on, path or URL) of the types that plan() asks for and that have to be fetched first."""
    known = applied.same_cluster(ctx) and not ctx.phases.only
    return [
        item.args
        for group in groups(ctx)
        if not (known and _is_so(group, ctx))
        for item in group.types
        if isinstance(item, Late)
    ]


def _is_so(group: Group, ctx: StepContext) -> bool:
    """Say whether this form of a group was applied, and of an add-on, whether the cluster still has it."""
    return is_so(group.marker, ctx.facts) and (
        group.addon is None or addon_objects.is_known(group.addon, ctx)
    )


def _in_stages(ctx: StepContext, wanted: Sequence[Group], why: Mapping[str, str]) -> list[Action]:
    """Return the applies of groups: one, unless there are types that have to be served first."""
    if not wanted:
        return []
    typed = [group for group in wanted if group.types]
    if not typed:
        return [_one_apply(ctx, wanted, why)]
    plain = [group for group in wanted if group not in typed]
    names = [group.addon.item.name for group in typed if group.addon]
    server = f"https://{ctx.node.local_endpoint}"
    return [
        _one_apply(ctx, [*plain, *(Group(group.phase, group.types) for group in typed)], why),
        addon_objects.types_established(names, admin_kubeconfig(ctx), server),
        _one_apply(ctx, typed, why),
    ]


def _one_apply(ctx: StepContext, chosen: Sequence[Group], why: Mapping[str, str]) -> ApplyObjects:
    items = tuple(item for group in chosen for item in group.everything)
    return ApplyObjects(
        f"apply {len(items)} API objects",
        items,
        server=f"https://{ctx.node.local_endpoint}",
        kubeconfig=admin_kubeconfig(ctx),
        reason=", ".join(group.phase for group in chosen),
        patience=ctx.timeouts.kubernetes_api_call,
        why=why,
    )


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


OBJECTS = "cluster objects"
"""What hosts that join wait for: the cluster knows how to take them in."""

MOVED = "the endpoint"
"""What hosts wait for that join while the endpoint moves: all members use the new one."""

STEP = Step("objects", "API objects", plan, goes_with=PHASES, leader=True, provides=OBJECTS)
STEP_KUBE_PROXY = Step("kube-proxy", "kube-proxy", plan_kube_proxy, phase=KUBE_PROXY, leader=True)
STEP_OTHERS = Step("objects", "API objects", plan_others, goes_with=PHASES, leader=True, provides=MOVED)
