"""Plan what lets this host find the API: its line in /etc/hosts, its balancer, the vip's keeper."""

from __future__ import annotations

import shlex
from datetime import timedelta

from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.actions import Action, Remove, RunScript, Unit
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Role
from kubeadm_py.render import endpoint as rendered
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext, write
from kubeadm_py.steps.kubelet import start as kubelet_start

ANSWER_DEADLINE = timedelta(minutes=2)
"""How long the API may take to answer at a new endpoint: balancers start in turn, an address is taken."""

_OURS = (
    # A pod goes before what it reads.
    rendered.manifest_path(rendered.HAPROXY),
    rendered.manifest_path(rendered.KEEPALIVED),
    paths.HAPROXY_CONFIG,
    paths.KEEPALIVED_CONFIG,
    paths.KEEPALIVED_CHECK,
)
# Where /etc/hosts is mounted by itself (a container's is), it cannot be replaced, only overwritten.
_EDIT = """file=$(readlink -f {file})
new=${{file%/*}}/.${{file##*/}}.kubeadm-py-new
[ -e "$file" ] || (umask 022 && : >"$file")
cp -p "$file" "$new"
{{ grep -v -e {ours} "$file" || [ $? -eq 1 ]; }} >"$new"
{add}if mv -fT "$new" "$file" 2>/dev/null; then
  kpy_relabel "$file"
else
  cat "$new" >"$file"
  rm -f "$new"
fi"""


def plan(ctx: StepContext) -> list[Action]:
    """Write what is missing or changed, and remove what another endpoint once needed.

    The kubelet replaces a pod whose manifest changed; keepalived's names the digest of what it reads. haproxy
    sees by itself that its configuration changed, and nobody who asks by it notices.
    While the endpoint is moving nothing is removed: the old way to the API is still in use.
    """
    wanted = rendered.files(ctx.cluster, ctx.node, ctx.facts, moving=ctx.moving)
    kept = {spec.path for spec in wanted}
    gone = [path for path in _OURS if path in ctx.recorded and path in ctx.facts.files and path not in kept]
    line = endpoint.hosts_line(ctx.cluster, ctx.node)
    actions = plan_hosts_line(line, ctx.facts) if line or not ctx.moving else []
    actions += write(wanted, ctx.facts, title="the API's endpoint", reason="missing or changed")
    if gone and not ctx.moving:
        actions.append(Remove(tuple(gone), reason="the endpoint is another one now"))
    return actions


def plan_answers(ctx: StepContext) -> list[Action]:
    """Wait, before anything on this host uses the endpoint, until the API answers there by that very name."""
    server = f"https://{ctx.cluster.endpoint}"
    balanced = endpoint.runs_haproxy(ctx.cluster, ctx.node) and ctx.node.role is not Role.CONTROL_PLANE
    component = rendered.HAPROXY if balanced else ""
    return [waits.answers(ctx.node, server, ANSWER_DEADLINE, component)]


def plan_still_answers(ctx: StepContext) -> list[Action]:
    """Wait for the same after what another endpoint needed was taken away."""
    return plan_answers(ctx) if plan(ctx) else []


def plan_hosts_line(line: str, facts: HostFacts) -> list[Action]:
    """Return what makes `line` the only one of ours in /etc/hosts, or with an empty one takes it out."""
    if lines_of_ours(facts) == ([line] if line else []):
        return []
    add = f"printf '%s\\n' {shlex.quote(line)} >>\"$new\"\n" if line else ""
    title = f"/etc/hosts: {line.partition(' #')[0]}" if line else "take our line out of /etc/hosts"
    script = _EDIT.format(file=paths.HOSTS_FILE, ours=shlex.quote(endpoint.HOSTS_LINE), add=add)
    return [RunScript(title, script, reason="the API's name" if line else "")]


def lines_of_ours(facts: HostFacts) -> list[str]:
    """Return the lines of the host's /etc/hosts that bear our mark."""
    return [line for line in facts.hosts_file.splitlines() if endpoint.is_ours(line)]


def plan_balancer(ctx: StepContext) -> list[Action]:
    """Where a kubelet joins by its own host's balancer, which it has to start first, let it lose no time.

    It asks at once, finds nobody there, and waits longer before every next time, for seconds in the end; one
    that starts anew asks at once again.
    """
    joining = ctx.joined is not None and paths.KUBELET_CONF not in ctx.facts.files
    if not joining or not endpoint.runs_haproxy(ctx.cluster, ctx.node):
        return []
    port = endpoint.port(ctx.cluster)
    deadline = ctx.cluster.join_timeouts.kubelet_health_check
    return [
        waits.static_pod_listens(rendered.HAPROXY, port, deadline),
        Unit(kubelet_start.UNIT, state="restarted", reason="now its balancer is there"),
    ]


STEP = Step("endpoint", "API endpoint", plan)
STEP_ANSWERS = Step("endpoint-answers", "the API at its endpoint", plan_answers)
STEP_STILL_ANSWERS = Step(STEP_ANSWERS.id, STEP_ANSWERS.title, plan_still_answers)
STEP_BALANCER = Step("endpoint-balancer", "the host's own balancer", plan_balancer)
