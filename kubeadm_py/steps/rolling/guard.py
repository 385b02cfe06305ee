"""Guard what changes on a host that works: one thing after the other, waited for, put back on failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    HOST_GUARD,
    Action,
    FileSpec,
    Guard,
    Remove,
    RestartStaticPod,
    RunScript,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.node import Role
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.pki.requests import kubeconfig_requests, leaf_requests
from kubeadm_py.pki.table import table
from kubeadm_py.render import endpoint, kubelet
from kubeadm_py.steps import renew
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.endpoint import access as endpoints
from kubeadm_py.steps.endpoint import users as endpoint_users
from kubeadm_py.steps.endpoint import vip
from kubeadm_py.steps.etcd import host as etcd_host
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.rolling import waits as rolling_waits

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""Static pods of a control plane in the order in which they are replaced: each needs the ones before it."""
_READ_ANEW = (certs.API_SERVER, "etcd-server", "etcd-peer")
"""Certificates that whoever serves them reads again without a restart."""
_BALANCERS = (endpoint.HAPROXY, endpoint.KEEPALIVED)
_KUBELET_FILES = (
    paths.KUBELET_CONF,
    paths.KUBELET_CONFIG,
    paths.KUBELET_INSTANCE_CONFIG,
    paths.KUBELET_FLAGS_ENV,
)
_BEFORE_ETCD = ("directories", certs.STEP.id, kubeconfigs.STEP.id, static_pods.STEP_ETCD.id)
_FROM_KUBELET = (
    kubelet_start.STEP.id,
    endpoint_users.STEP_KUBELET.id,
    control_plane_waits.STEP.id,
    etcd_host.STEP_WAIT.id,
    certs.STEP_SERVED.id,
    endpoints.STEP_ANSWERS.id,
)


@dataclass(frozen=True, slots=True)
class _Change:
    """Hold what a host's steps change of what is at work there."""

    files: tuple[str, ...]
    pods: tuple[str, ...]
    """Static pods that their kubelet replaces, for their manifests differ."""
    written: frozenset[str]
    """Those of them whose manifests are written now: others were before, by a run that was cut off."""
    restarted: tuple[str, ...]
    """Static pods that are started anew, for what they read differs."""
    removed: tuple[str, ...]
    """Static pods that go with their manifests."""
    kubelet: bool


def guarded(ctx: StepContext, planned: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Return the steps, with a guard around them and waits between where they change what works."""
    change = _change(ctx, planned)
    if change is None:
        return tuple(planned)
    etcd = [name for name in COMPONENTS if name == "etcd"]
    later = [*(name for name in COMPONENTS if name not in etcd), *_BALANCERS]
    handed_over = vip.leaves(ctx, change.pods + change.restarted)
    opening: list[Action] = [
        *rolling_waits.others_healthy(ctx, change.pods + change.restarted),
        *handed_over,
        _guard(ctx, change, vip.returns(handed_over)),
    ]
    closing: list[Action] = []
    if change.kubelet:
        if not _restarts_kubelet(step.actions for step in planned):
            closing.append(
                Unit(kubelet_start.UNIT, state="restarted", reason="a run before this one was cut off")
            )
        closing.append(kubelet_works(ctx))
    closing += [*vip.returns(handed_over), Settle()]
    listed = [
        _step("keep what changes", opening),
        *(step for step in planned if step.step in _BEFORE_ETCD),
        _step("etcd is replaced", _roll(ctx, change, etcd)),
        *(step for step in planned if step.step not in (*_BEFORE_ETCD, *_FROM_KUBELET)),
        _step("static pods are replaced", _roll(ctx, change, later)),
        *(step for step in planned if step.step in _FROM_KUBELET),
        _step("the host works", closing),
    ]
    return tuple(step for step in listed if step.actions)


def guarded_work(ctx: StepContext, planned: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Return the same where the stage has work of its own.

    What a run before has left on the host is no reason to begin it: other stages finish that.
    """
    return guarded(ctx, planned) if planned else ()


def _step(title: str, actions: Iterable[Action]) -> PlannedStep:
    return PlannedStep("rolling", title, tuple(actions))


def _change(ctx: StepContext, planned: Sequence[PlannedStep]) -> _Change | None:
    """Return what changes; None where nothing does, or where nothing is at work yet."""
    actions = [action for step in planned for action in step.actions]
    begun_before = begun(ctx, HOST_GUARD)
    written = {
        spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files
    }
    removed = [path for action in actions if isinstance(action, Remove) for path in action.paths]
    edited = [path for action in actions if isinstance(action, RunScript) for path in action.edits]
    files = tuple(dict.fromkeys((*begun_before, *written, *edited, *removed)))
    if ctx.phases.only or not files or not works(ctx, begun_before):
        return None
    pods = tuple(
        name
        for name in (*COMPONENTS, *_BALANCERS)
        if (path := endpoint.manifest_path(name)) in files
        and path not in removed
        and not _means_the_same(ctx, path, written.get(path), begun_before)
    )
    anew = {action.component for action in actions if isinstance(action, RestartStaticPod)}
    restarted = tuple(name for name in COMPONENTS if name in _users(ctx, files) - anew and name not in pods)
    kubelet_changed = any(path in begun_before for path in _KUBELET_FILES) or _restarts_kubelet([actions])
    now = frozenset(name for name in pods if endpoint.manifest_path(name) in written)
    gone = tuple(name for name in _BALANCERS if endpoint.manifest_path(name) in removed)
    return _Change(files, pods, now, restarted, gone, kubelet_changed)


def _restarts_kubelet(planned: Iterable[Sequence[Action]]) -> bool:
    return any(
        isinstance(action, Unit) and action.name == kubelet_start.UNIT and action.state
        for actions in planned
        for action in actions
    )


def begun(ctx: StepContext, guard: str) -> tuple[str, ...]:
    """Return what a run that was cut off has changed, or was about to change, behind a guard."""
    fact = ctx.facts.files.get(paths.kept_list(guard))
    lines = ((fact.content if fact is not None else None) or b"").decode(errors="replace").splitlines()
    listed = (line.partition(" ")[2] for line in lines)
    return tuple(path for path in listed if path.startswith("/") and path != paths.INVENTORY)


def works(ctx: StepContext, begun: tuple[str, ...]) -> bool:
    """Say whether there is something on the host that works, to which one could go back.

    `begun` is what a run that was cut off has changed of it.
    """
    unit = ctx.facts.units.get(kubelet_start.UNIT)
    if ctx.node.role is Role.ETCD:
        running = bool(begun) or (unit is not None and unit.active_state == "active")
        return running and (ctx.birth is None or ctx.birth.started)
    if paths.KUBELET_CONF not in ctx.facts.files or paths.BOOTSTRAP_KUBELET_CONF in ctx.facts.files:
        return False
    if ctx.node.role is not Role.CONTROL_PLANE:
        return bool(begun) or (unit is not None and unit.active_state == "active")
    if ctx.birth is not None and not ctx.birth.started:
        return False
    return bool(begun) or static_pods.is_served(ctx)


def _means_the_same(ctx: StepContext, path: str, spec: FileSpec | None, begun: tuple[str, ...]) -> bool:
    """Say whether a manifest that is written differs in its text alone: its pod stays then."""
    fact = ctx.facts.files.get(path)
    if path in begun or spec is None or fact is None or not isinstance(spec.content, bytes):
        return False
    return bool(_parsed(fact.content or b"") == _parsed(spec.content))


def _parsed(manifest: bytes) -> Any:
    try:
        return yaml.load(manifest, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return manifest


def _users(ctx: StepContext, files: Iterable[str]) -> set[str]:
    """Return the static pods that read some of these files."""
    if ctx.node.role is not Role.CONTROL_PLANE:
        return set()
    named = {
        path: request.name
        for request in leaf_requests(ctx.cluster, ctx.node)
        for path in (request.certificate_path, request.key_path)
    }
    named |= {request.path: request.name for request in kubeconfig_requests(ctx.cluster, ctx.node)}
    names = {named[path] for path in files if path in named} - set(_READ_ANEW)
    return {user for name in names for user in table().used_by(name)}


def _guard(ctx: StepContext, change: _Change, last: Sequence[Action]) -> Guard:
    recover: list[Action] = [_restart(name, "what it reads is put back") for name in change.restarted]
    if change.pods and ctx.node.role is Role.CONTROL_PLANE and not static_pods.is_served(ctx):
        recover.append(RunScript("replace pods", static_pods.replacing(change.pods)))
    if change.kubelet:
        recover.append(Unit(kubelet_start.UNIT, state="restarted"))
    back = replace(change, written=frozenset())
    recover += [wait for name in (*change.pods, *change.restarted) for wait in _works_again(ctx, back, name)]
    recover += [rolling_waits.replaced(ctx, name, written=False) for name in change.removed]
    if change.kubelet:
        recover.append(kubelet_works(ctx))
    recover += last
    return Guard(change.files, change.pods + change.removed, recover=tuple(recover))


def _roll(ctx: StepContext, change: _Change, names: Sequence[str]) -> Iterator[Action]:
    """Replace these static pods, or start them anew, one after the other."""
    for name in names:
        if name in change.restarted:
            yield _restart(name, "what it reads has changed")
        yield from _works_again(ctx, change, name)


def _restart(name: str, reason: str) -> RestartStaticPod:
    return RestartStaticPod(name, reason, renew.GRACE.get(name, renew.USUAL_GRACE))


def _works_again(ctx: StepContext, change: _Change, name: str) -> list[Wait]:
    if name in change.pods:
        return [rolling_waits.replaced(ctx, name, written=name in change.written)]
    return [rolling_waits.restarted(ctx, name)] if name in change.restarted else []


def kubelet_works(ctx: StepContext) -> Wait:
    """Wait until a kubelet that was started anew works as before."""
    port = kubelet.healthz_port(ctx.cluster, ctx.node, ctx.facts)
    # Where another tool brings the pod network nobody knows whether the node was Ready before.
    return rolling_waits.kubelet(ctx, port, ready=addons_ready.has_network(ctx))
