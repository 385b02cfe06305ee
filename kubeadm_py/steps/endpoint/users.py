"""Plan the move of what finds the API by its endpoint: kubeconfigs on the hosts, and who has read them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, RestartStaticPod, RunScript, Unit, WriteFiles
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Role
from kubeadm_py.pki import external, kubeconfig
from kubeadm_py.pki.requests import kubeconfig_requests
from kubeadm_py.pki.table import table
from kubeadm_py.render import kubelet
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.certificates import kubeconfigs
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.kubelet import start as kubelet_start

_EDIT = """new={folder}/.{name}.kubeadm-py-new
trap 'rm -f "$new"' EXIT
rm -f "$new"
cp -p {path} "$new"
kubectl --kubeconfig "$new" config set-cluster {cluster} --server {server} >/dev/null
mv -fT "$new" {path}
kpy_relabel {path}"""


def plan_kubelet(ctx: StepContext) -> list[Action]:
    """Let kubelet.conf name the endpoint, then restart the kubelet; running pods stay.

    A control plane's kubelet asks its own API server. The credentials stay as they are.
    """
    place = ctx.node.local_endpoint if ctx.node.role is Role.CONTROL_PLANE else ctx.cluster.endpoint
    edit = _edited(ctx.facts.files.get(paths.KUBELET_CONF), f"https://{place}")
    if edit is None:
        return []
    port = kubelet.healthz_port(ctx.cluster, ctx.node, ctx.facts)
    return [
        edit,
        Unit(kubelet_start.UNIT, state="restarted", reason="it reads its kubeconfig at its start"),
        waits.kubelet_healthy(port, ctx.timeouts.kubelet_health_check),
    ]


def plan_kubeconfigs(ctx: StepContext) -> list[Action]:
    """Let the kubeconfigs of a control plane name what they should, and restart what has read another one.

    They are signed anew; with an external CA, which has signed what is in them, only the server changes.
    """
    if ctx.node.role is not Role.CONTROL_PLANE:
        return []
    listed = [each for each in kubeconfig_requests(ctx.cluster, ctx.node) if each.path != paths.KUBELET_CONF]
    actions: list[Action] = []
    if "ca" in external.authorities(ctx.cluster, ctx.facts.files):
        edits = {each.path: _edited(ctx.facts.files.get(each.path), each.server) for each in listed}
        changed = [path for path, edit in edits.items() if edit is not None]
        actions += [edit for edit in edits.values() if edit is not None]
    else:
        actions += kubeconfigs.plan(ctx)
        changed = [spec.path for action in actions if isinstance(action, WriteFiles) for spec in action.files]
    readers = [
        component
        for each in listed
        if each.path in changed and each.path in ctx.facts.files
        for component in table().used_by(each.name)
    ]
    return [*actions, *_restarts(ctx, readers)]


def _restarts(ctx: StepContext, components: list[str]) -> Iterator[Action]:
    for component in components:
        yield RestartStaticPod(component, "it reads its kubeconfig at its start")
    for action in control_plane_waits.plan_others(ctx):
        if any(getattr(action, "title", "").endswith(f" {component}") for component in components):
            yield action


def _edited(fact: FileFact | None, server: str) -> Action | None:
    """Return what makes a kubeconfig's current cluster this server; None where it is, or nothing is known."""
    if fact is None or not fact.content:
        return None
    try:
        name, found = kubeconfig.current_server(fact.content)
    except KubeadmPyError:
        return None
    if found == server:
        return None
    file = fact.path.rpartition("/")[2]
    reason = f"{file}: {found} becomes {server}"
    if not fact.partial:
        content = kubeconfig.with_server(fact.content, server)
        return WriteFiles((FileSpec(fact.path, content, fact.mode),), reason=reason, title=file)
    # It holds a key, which stays on its host.
    script = _EDIT.format(
        folder=shlex.quote(fact.path.rpartition("/")[0]),
        name=shlex.quote(file),
        path=shlex.quote(fact.path),
        cluster=shlex.quote(name),
        server=shlex.quote(server),
    )
    return RunScript(file, script, reason=reason, edits=(fact.path,))


STEP_KUBECONFIGS = Step("endpoint-kubeconfigs", "kubeconfigs", plan_kubeconfigs, phase="kubeconfig")
STEP_KUBELET = Step("endpoint-kubelet", "the kubelet's endpoint", plan_kubelet, phase="kubelet-start")
