"""Plan the static pods of a control-plane host (kubeadm's phases etcd and control-plane)."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, MakeDirectories, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Role
from kubeadm_py.pki import external
from kubeadm_py.render.static_pods import COMPONENTS, ETCD, manifests
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext, differing, write
from kubeadm_py.steps.certificates import certs
from kubeadm_py.steps.etcd import birth as etcd_birth

_API_SERVER = "kube-apiserver"
_OTHERS = tuple(name for name in COMPONENTS if name != _API_SERVER)
_REPLACE = """systemctl stop kubelet.service
for name in {names}; do
  pods=$(crictl pods --namespace kube-system --label "component=$name" -q)
  [ -n "$pods" ] || continue
  crictl --timeout 60s stopp $pods
  crictl --timeout 60s rmp -f $pods
done
systemctl start kubelet.service"""


def plan_etcd(ctx: StepContext) -> list[Action]:
    """Make etcd's data directory and write its manifest, where this host runs etcd."""
    local = ctx.cluster.etcd.local
    actions: list[Action] = []
    if local is not None and local.data_dir not in ctx.facts.directories:
        actions.append(MakeDirectories(((local.data_dir, 0o700),), title="etcd's data directory"))
    files = _manifests(ctx, [ETCD])
    actions += write(files, ctx.facts, title="etcd's manifest", reason="missing or changed")
    return actions + _take_over(ctx, files)


def plan(ctx: StepContext) -> list[Action]:
    """Write the components' manifests that differ; the kubelet takes them from there."""
    return _components(ctx, _manifests(ctx, COMPONENTS))


def plan_first(ctx: StepContext) -> list[Action]:
    """Write the manifests of those components whose part of init's phase is to be done.

    On a host that begins, the API server comes alone: the others have nobody to ask before it answers, and
    would take the processor from what they wait for. Where another host's comes first, it comes later, too.
    """
    if not begins(ctx.facts):
        return _parts(ctx, COMPONENTS)
    return _parts(ctx, [_API_SERVER]) if ctx.first is None else []


def plan_beside(ctx: StepContext) -> list[Action]:
    """Write the API server's manifest on a host that begins, once the cluster's first one has begun."""
    manifest = _parts(ctx, [_API_SERVER]) if begins(ctx.facts) and ctx.first is not None else []
    if ctx.first is None or not manifest:
        return []
    deadline = ctx.timeouts.control_plane_component_health_check
    return [waits.api_server_begins(ctx.first, deadline, ctx.cluster.certificates_dir), *manifest]


def plan_following(ctx: StepContext) -> list[Action]:
    """Write the manifests of the others on a host that begins, once its API server answers."""
    return _parts(ctx, _OTHERS) if begins(ctx.facts) or STEP_FOLLOWING.id in ctx.later else []


def begins(facts: HostFacts) -> bool:
    """Say whether a control plane had no API server when it was looked at."""
    return f"{paths.MANIFESTS_DIR}/{_API_SERVER}.yaml" not in facts.files


def _parts(ctx: StepContext, names: Iterable[str]) -> list[Action]:
    wanted = [name for name in names if ctx.phases.wants(f"control-plane/{name.removeprefix('kube-')}")]
    return _components(ctx, _manifests(ctx, wanted))


def _components(ctx: StepContext, files: list[FileSpec]) -> list[Action]:
    actions = write(files, ctx.facts, title="static pod manifests", reason="missing or changed")
    return actions + _take_over(ctx, files)


def _take_over(ctx: StepContext, files: list[FileSpec]) -> list[Action]:
    """Have the kubelet replace pods of changed manifests where it would not by itself.

    A kubelet that has seen no API server since its start ends no pod, and starts none of a name that it has.
    """
    unit = ctx.facts.units.get("kubelet.service")
    running = unit is not None and unit.active_state == "active"
    changed = [_component(spec) for spec in differing(files, ctx.facts) if spec.path in ctx.facts.files]
    # A kubelet that knows of no API server at all replaces them as well.
    if not changed or not running or is_served(ctx) or ctx.node.role is Role.ETCD:
        return []
    return [
        RunScript(
            "replace the pods of changed manifests",
            replacing(changed),
            reason="without an API server the kubelet keeps the old ones",
        )
    ]


def is_served(ctx: StepContext) -> bool:
    """Say whether an API server listened on this host when it was looked at."""
    return ctx.facts.listens(ctx.node.bind_port)


def replacing(components: Iterable[str]) -> str:
    """Return the script that ends static pods, so that the kubelet starts what their manifests say now."""
    return _REPLACE.format(names=shlex.join(components))


def _component(manifest: FileSpec) -> str:
    return manifest.path.removeprefix(f"{paths.MANIFESTS_DIR}/").removesuffix(".yaml")


def _manifests(ctx: StepContext, wanted: Collection[str]) -> list[FileSpec]:
    # Fixed at its birth: a member's list of founders never follows the file.
    birth = ctx.birth or etcd_birth.recorded(ctx.facts) or etcd_birth.in_manifest(ctx.facts)
    alone = birth is None or len(birth.members) == 1
    return manifests(
        ctx.cluster,
        ctx.node,
        ctx.facts,
        environment=ctx.facts.environment,
        etcd_members=birth.members if birth is not None else None,
        # kubeadm's first member names no state, and starts as `new` by etcd's own default.
        initial_cluster_state="" if birth is None or (alone and birth.state == "new") else birth.state,
        external_ca="ca" in external.authorities(ctx.cluster, certs.known_files(ctx)),
        wanted=wanted,
    )


STEP_ETCD = Step("etcd", "etcd", plan_etcd, phase="etcd/local")
STEP = Step("control-plane", "static pods", plan_first, phase="control-plane")
STEP_BESIDE = Step("control-plane-beside", "API server beside the first", plan_beside, phase="control-plane")
STEP_FOLLOWING = Step(
    "control-plane-following", "static pods that ask the API", plan_following, phase="control-plane"
)
