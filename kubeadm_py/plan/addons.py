"""Bring single add-ons to a cluster that runs, take them out of it, and show in what they differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.inventory import Inventory
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.kube import kubectl, objects
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Producer
from kubeadm_py.model.phases import Selection
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.pki.keys import generate
from kubeadm_py.plan.artifacts.remote_types import RemoteTypes
from kubeadm_py.plan.artifacts.sources import Source, open_for
from kubeadm_py.plan.build import build_stage
from kubeadm_py.plan.certificates import kubelet_requests
from kubeadm_py.plan.cluster.gates import Gates
from kubeadm_py.plan.cluster.members import Members, leading
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.plan.workflows import CONTROL_PLANES, StageDefinition
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.addons import custom_resources
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.addons import removal as addon_removal
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.nodes import waits as node_waits
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.steps.objects import groups as object_groups
from kubeadm_py.steps.prepare.images import plan_images

IMAGES = StageDefinition("images", "images of add-ons", (Step("images", "images", plan_images),))
_DIFF_SECONDS = 120.0


def install(run: Run, names: Sequence[str]) -> Plan:
    """Bring add-ons of the file to the cluster, their images to all hosts first; wait until they are ready.

    They are applied whatever is noted: somebody may have changed them. Raise UsageError where apply is
    needed.
    """
    source = open_for(run)
    resolved = addons.resolve(run.cluster)
    chosen = tuple(choose(resolved, names))
    run.look(run.cluster.nodes, lock=not run.options.dry_run)
    members = Members(run, source, datetime.now(UTC), generate)
    if not members.running:
        raise UsageError(
            f"{run.cluster.name} does not run yet", fix=f"kubeadm-py apply --config {run.config_name}"
        )
    kubelets = [item.name for item in chosen if item.addon.kubelet_configuration]
    if kubelets and kubelet_requests.is_new(run.cluster, members.leader):
        raise UsageError(
            f"{', '.join(kubelets)} changes the kubelets' configuration, too",
            fix=f"kubeadm-py apply --config {run.config_name}",
        )
    Gates(members).host()
    types = RemoteTypes(run.cluster, source.documents)
    leader = members.leader.name
    only = Selection(only=tuple(object_groups.addon_phase(item.name) for item in chosen))
    ctx = replace(members.context(leader, CONTROL_PLANES), addons=chosen, phases=only)
    there = replace(ctx, marked=tuple(run.cluster.workers))
    stages = (
        build_stage(
            IMAGES,
            [replace(members.context(name, CONTROL_PLANES), addons=chosen) for name in run.sessions],
        ),
        Stage(
            "addons",
            "add-ons",
            (HostPlan(leader, (PlannedStep("addons", "add-ons", _actions(there)),)),),
        ),
    )
    if not run.options.dry_run:
        types.fetch(ctx)
        _execute(run, source, stages, {addon_objects.TYPES_PRODUCER: types.produce})
    return Plan("addon install", stages)


def _actions(ctx: StepContext) -> tuple[Action, ...]:
    server, kubeconfig = f"https://{ctx.node.local_endpoint}", paths.ADMIN_CONF
    workloads = [
        node_waits.Workload(ready.kind, ready.namespace, ready.name) for ready in addons.readiness(ctx.addons)
    ]
    wait = (
        [node_waits.workloads_ready("wait for add-ons", workloads, kubeconfig, server, addons_ready.DEADLINE)]
        if workloads
        else []
    )
    return (*cluster_objects.plan(ctx), *wait, *custom_resources.plan(ctx))


def choose(resolved: Sequence[ResolvedAddon], names: Sequence[str]) -> list[ResolvedAddon]:
    """Return the file's add-ons of these names, all where none is given; raise UsageError for others."""
    known = {item.name: item for item in resolved}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: no add-on of the file",
            fix=f"add it to spec.addons; it has {', '.join(known) or 'none'}",
        )
    return [known[name] for name in names] if names else list(resolved)


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """Hold what a removal took out, or would."""

    plan: Plan
    stays: Mapping[str, tuple[str, ...]]
    """Add-on -> what of it stays because people's data hangs on it."""


def remove(
    run: Run, names: Sequence[str], *, purge: bool, confirm: Callable[[Plan], bool]
) -> RemovalReport | None:
    """Take add-ons out of the cluster by their inventories; None where nobody confirmed.

    Raise UsageError for an add-on that the cluster does not have, and for the pod network, which every node
    needs.
    """
    run.look(run.cluster.control_planes, lock=not run.options.dry_run)
    leader = leading([run.sessions[node.name] for node in run.cluster.control_planes])
    live = objects.addons(leader.host, ())
    if live is None:
        raise KubeadmPyError(
            "this control plane cannot say which add-ons the cluster has",
            host=leader.name,
            fix="kubectl get nodes     (there, as root)",
        )
    going = tuple(_installed(live.installed, name) for name in dict.fromkeys(names))
    ctx = StepContext(
        run.cluster,
        leader.node,
        leader.facts,
        "addon",
        datetime.now(UTC),
        recorded=leader.inventory.files,
        removing=going,
        purge=purge,
    )
    stage = build_stage(StageDefinition("remove", "add-ons that go", (addon_removal.STEP,)), [ctx])
    plan = Plan("addon remove", (stage,))
    stays = {each.name: tuple(map(str, addon_removal.staying(each, purge=purge))) for each in going}
    if run.options.dry_run:
        return RemovalReport(plan, stays)
    if not confirm(plan):
        return None
    _execute(run, Source(), (stage,), {})
    return RemovalReport(plan, stays)


def _installed(installed: Mapping[str, Inventory], name: str) -> Inventory:
    known = installed.get(name)
    if known is None:
        raise UsageError(
            f"the cluster has no add-on {name} of ours",
            fix=f"it has {', '.join(sorted(installed)) or 'none'}",
        )
    if addons.is_pod_network(known):
        raise UsageError(
            f"{name} is the pod network: without it no pod reaches another and no node stays Ready",
            fix="to change the network, make the cluster anew",
        )
    return known


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold in what an add-on differs from what the cluster has of it."""

    name: str
    text: str
    """A unified diff, as kubectl makes it; empty where all is so."""
    surplus: tuple[str, ...] = ()
    """Objects that an earlier form of it brought and that would be deleted."""


def differences(run: Run, session: Session, chosen: Sequence[ResolvedAddon]) -> list[Difference]:
    """Ask the API server what an apply of these add-ons would change; it changes nothing."""
    live = objects.addons(session.host, ())
    found = []
    for item in chosen:
        staged = addons.render_one(item, run.cluster)
        wanted = [*staged.types, *staged.workloads, *staged.custom_resources]
        known = live.installed.get(item.name) if live else None
        surplus = known.surplus(addons.inventory_of(item, staged).objects) if known else ()
        found.append(Difference(item.name, _diff(session, wanted), tuple(map(str, surplus))))
    return found


def _diff(session: Session, wanted: Sequence[Mapping[str, object]]) -> str:
    command = ["diff", "--server-side", "--force-conflicts", "--field-manager", "kubeadm-py", "-f", "-"]
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted}).encode()
    result = session.host.run(kubectl.command(command), stdin=stdin, timeout=_DIFF_SECONDS)
    if result.exit_code not in (0, 1) or (result.exit_code == 1 and not result.stdout.strip()):
        error = kubectl.failed(session.name, "asking what would change", result.stderr)
        if b"no matches for kind" in result.stderr:
            error.fix = "types that are not there yet come with kubeadm-py addon install NAME --config FILE"
        raise error
    return result.stdout.decode(errors="replace")


def _execute(run: Run, source: Source, stages: Sequence[Stage], producers: Mapping[str, Producer]) -> None:
    executor = run.executor(producers, source.open_images)
    for stage in stages:
        source.verify(stage)
        result = executor.run(stage)
        run.changed += sum(result.changed.values())
        if result.errors:
            raise RunFailedError(list(result.errors.values()))
