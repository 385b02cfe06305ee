"""Renew certificates, one control plane after the other, so that the API of a cluster of several stays up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError
from kubeadm_py.model import ports
from kubeadm_py.model.actions import Producer, RestartStaticPod
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.pki import external, files, requests
from kubeadm_py.pki.keys import KeyMaker, generate
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.build import plan_changes
from kubeadm_py.plan.certificates import key_holders, serving
from kubeadm_py.plan.certificates.producers import Complete
from kubeadm_py.plan.certificates.successors import Successors
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.steps import renew as steps
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.kubelet import certificate as kubelet_certificate
from kubeadm_py.steps.renew import Decision
from kubeadm_py.transport.fanout import fan_out

ALL = "all"


@dataclass(frozen=True, slots=True)
class RenewReport:
    """Hold what was renewed, and restarted, on which host."""

    plan: Plan
    changed: int
    decisions: Mapping[str, Decision]
    together: bool
    """Whether all hosts were handled at once, because the API was not up anyway."""


def renew(
    run: Run,
    targets: Sequence[Node],
    name: str,
    *,
    within: timedelta | None = None,
    complete: Complete | None = None,
    key_maker: KeyMaker = generate,
) -> RenewReport:
    """Renew certificate `name`, or all, on control planes; `within` leaves those that last longer.

    Three round trips a host. Raise UsageError for a name that there is not, KubeadmPyError where nothing of
    what was named can be renewed.
    """
    names = wanted(name)
    chosen = [node.name for node in targets]
    if any(node.role is Role.CONTROL_PLANE for node in targets):
        # What signs their way to etcd lies on etcd's own hosts.
        targets = [*targets, *(node for node in run.cluster.etcd_hosts if node.name not in chosen)]
    try:
        run.look(targets, lock=not run.options.dry_run)
    except RunFailedError as failed:
        _tell_how_without(failed, [host for host in chosen if host in run.sessions])
        raise
    if complete is not None:
        run.use(complete(run.cluster, {host: session.facts for host, session in run.sessions.items()}))
    now = datetime.now(UTC)
    members = [session for session in _members(run) if session.name in chosen or complete is not None]
    started = _started(members)
    contexts = {each.name: context(run.cluster, each, now) for each in members}
    decisions = {
        host: steps.decide(ctx, names, within=within, started=started.get(host) or {}, kubelet=name == ALL)
        for host, ctx in contexts.items()
    }
    _tell(run, decisions, name)
    plans = []
    serving = {each.name: _serves(each) for each in members}
    # A host that is down already goes first: where it does not come up, the ones that serve are left alone.
    for host, ctx in sorted(contexts.items(), key=lambda item: serving[item[0]]):
        actions = steps.plan(ctx, decisions[host])
        if actions:
            step = PlannedStep("renew-certs", "certificates", tuple(actions))
            plans.append(HostPlan(host, (step,)))
    together = len(plans) > 1 and (
        not any(serving.values()) or any(each.expired for each in decisions.values())
    )
    plan = Plan("certs renew", _stages(plans, together))
    _refuse_without_runtime(plan, started)
    if not run.options.dry_run and not plan.empty:
        if together:
            run.warn("the API is down, or certificates have ended: all control planes at once")
        _execute(run, plan, decisions, now, key_maker)
    return RenewReport(plan, plan_changes(plan), decisions, together)


def wanted(name: str) -> tuple[str, ...]:
    """Return the certificates that a name stands for; raise UsageError for one that there is not."""
    if name not in (ALL, *steps.names()):
        raise UsageError(
            f"there is no certificate {name} to renew", fix=f"one of {ALL}, {', '.join(steps.names())}"
        )
    return steps.names() if name == ALL else (name,)


def _tell_how_without(failed: RunFailedError, reached: Sequence[str]) -> None:
    """Say how to renew what is within reach: a dead host must not let the others' certificates end."""
    for error in failed.errors:
        if reached and error.exit_code is ExitCode.UNREACHABLE:
            others = " ".join(f"--host {host}" for host in reached)
            error.fix = (
                f"{error.fix}; or renew without it: {others}" if error.fix else f"renew without it: {others}"
            )


def _stages(plans: Sequence[HostPlan], together: bool) -> tuple[Stage, ...]:
    if together:
        return (Stage("renew", "renew certificates, restart what uses them", tuple(plans)),)
    return tuple(Stage("renew", f"renew certificates on {each.host}", (each,)) for each in plans)


def _execute(
    run: Run, plan: Plan, decisions: Mapping[str, Decision], now: datetime, key_maker: KeyMaker
) -> None:
    etcd = key_holders.find(run.cluster, (), [run.sessions[node.name] for node in _reached(run)])
    makers = {
        host: Successors(run.cluster, run.sessions[host], decision, now, key_maker, etcd)
        for host, decision in decisions.items()
    }

    def producer(name: str) -> Producer:
        return lambda host, late: makers[host].make(name, late)

    late = (files.CERTIFICATE, files.KEY, steps.RENEWED_KUBECONFIG, kubelet_certificate.PRODUCER)
    table = {each: producer(each) for each in late}
    executor = run.executor(table, Source().open_images)
    for stage in plan.stages:
        try:
            # The next host waits for this one's health: its last action is that wait.
            result = executor.run(stage)
        finally:
            for each in stage.hosts:
                makers[each.host].forget()
        run.changed += sum(result.changed.values())
        result.raise_first()


def _reached(run: Run) -> list[Node]:
    return [node for node in run.cluster.etcd_hosts if node.name in run.sessions]


def _members(run: Run) -> list[Session]:
    """Return the hosts that have a CA; hosts of the file that have not joined yet are told."""
    ca = f"{run.cluster.certificates_dir}/ca.crt"
    of_etcd = requests.etcd_authority(run.cluster).certificate_path
    members = []
    for session in run.sessions.values():
        path = of_etcd if session.node.role is Role.ETCD else ca
        if path in session.facts.files:
            members.append(session)
        else:
            what = "member of etcd" if session.node.role is Role.ETCD else "control plane"
            run.warn(f"{path} is not there: this host is no {what} yet, it is left out", session.name)
    if not members:
        raise KubeadmPyError(
            f"no host has {ca}: there is no control plane to renew certificates of",
            fix="name the config of a cluster that is up, or --cert-dir",
        )
    return members


def _started(members: Sequence[Session]) -> dict[str, dict[str, float] | None]:
    return {host: outcome.value for host, outcome in fan_out(members, serving.started).items()}


def _refuse_without_runtime(plan: Plan, started: Mapping[str, dict[str, float] | None]) -> None:
    """Refuse before anything is written where what uses the certificates could not be restarted."""
    errors: list[KubeadmPyError] = [
        KubeadmPyError(
            "crictl reaches no container runtime, so what uses the certificates cannot be restarted:"
            " nothing was renewed",
            host=host.host,
            fix="look: crictl version; systemctl status containerd",
        )
        for stage in plan.stages
        for host in stage.hosts
        if started.get(host.host) is None
        and any(isinstance(action, RestartStaticPod) for action in host.actions)
    ]
    if errors:
        raise RunFailedError(errors)


def context(cluster: ResolvedCluster, session: Session, now: datetime) -> StepContext:
    """Return what decisions about one host are made from."""
    return StepContext(
        cluster.at(session.node),
        session.node,
        session.facts,
        "certs renew",
        now,
        recorded=session.inventory.files,
    )


def _serves(session: Session) -> bool:
    is_etcd = session.node.role is Role.ETCD
    return session.facts.listens(ports.ETCD_CLIENT if is_etcd else session.node.bind_port)


def _tell(run: Run, decisions: Mapping[str, Decision], name: str) -> None:
    """Tell what is not renewed, and why; raise KubeadmPyError where that is all that was asked for."""
    for host, decision in decisions.items():
        for note in decision.notes:
            run.warn(note, host)
        if name == ALL:
            # init makes it on the first control plane only, and people remove it.
            missing = [each for each in decision.missing if each != "super-admin.conf"]
            if missing:
                run.warn(f"not there, and so not renewed: {', '.join(missing)}", host)
            if decision.external:
                listed = ", ".join(decision.external)
                run.warn(f"signed by an external CA, and so not renewed: {listed}", host, external.FIX)
    does = any(each.signed or each.stale for each in decisions.values())
    if does:
        return
    signed_elsewhere = [host for host, each in decisions.items() if each.external]
    if signed_elsewhere:
        raise KubeadmPyError(
            f"{name}: the CA's key is not on the host (an external CA): it cannot be renewed here",
            host=signed_elsewhere[0],
            fix=external.FIX,
        )
    lost = [host for host, each in decisions.items() if each.missing]
    if lost and name != ALL and len(lost) == len(decisions):
        raise KubeadmPyError(f"{name} is not there, or is no certificate", host=lost[0], fix="init makes it")
