"""Plan the wait for a joining kubelet's own certificate (kubeadm's phase kubelet-wait-bootstrap)."""

from __future__ import annotations

import shlex

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Remove, RunScript, Wait
from kubeadm_py.render import kubelet
from kubeadm_py.steps import waits
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.nodes import waits as node_waits

_DROP_TOKEN = Remove((paths.BOOTSTRAP_KUBELET_CONF,), reason="its token is not needed any more")


def plan(ctx: StepContext) -> list[Action]:
    """Wait until the kubelet has its certificate and registered its node; then drop the token's file."""
    return [*plan_certificate(ctx), *plan_ready(ctx)]


def plan_ready(ctx: StepContext) -> list[Action]:
    """Wait until the new node is Ready, and the node of a host whose join was cut off before that."""
    name, deadline = ctx.node.name, ctx.cluster.join_timeouts.kubelet_health_check
    network_comes = addons_ready.has_network(ctx)
    # Of a cluster that is all in the file it is known whether a pod network comes.
    may_be_ready = network_comes or ctx.verb != "apply"
    if _is_member(ctx) and not _left_behind(ctx, may_be_ready=may_be_ready):
        return []
    if not may_be_ready:
        return [node_waits.node_registered(name, paths.KUBELET_CONF, deadline)]
    return [node_waits.node_ready(name, paths.KUBELET_CONF, "", deadline, network_comes=network_comes)]


def _left_behind(ctx: StepContext, *, may_be_ready: bool) -> bool:
    """Say whether the cluster is known to lack this member: as a Ready node, where it may be one."""
    nodes = ctx.joined.nodes if ctx.joined is not None else None
    if nodes is None:
        return False
    return not nodes.get(ctx.node.name) if may_be_ready else ctx.node.name not in nodes


def _is_member(ctx: StepContext) -> bool:
    found = ctx.facts.files
    return paths.KUBELET_CONF in found and paths.BOOTSTRAP_KUBELET_CONF not in found


def plan_again(ctx: StepContext) -> list[Action]:
    """Let a control plane's kubelet try again at once: its own API server answers from now on.

    It has tried before, and waits longer after each failure: up to 7 s to register its node, up to half a
    minute to ask for a certificate.
    """
    if _is_member(ctx):
        return []
    kubectl = waits.kubectl(paths.KUBELET_CONF)
    asked = f"{kubectl} get node {shlex.quote(ctx.node.name)} -o name"
    return [
        RunScript(
            "let the kubelet register at once",
            f"if {asked} >/dev/null 2>&1; then echo unchanged; exit 0; fi\nsystemctl restart kubelet.service",
            reason="its own API server answers now",
        )
    ]


def plan_certificate(ctx: StepContext) -> list[Action]:
    """Wait until the kubelet has its certificate; then drop the token's file."""
    if _is_member(ctx):
        return []
    timeouts = ctx.cluster.join_timeouts
    node = ctx.node
    # As kubelet-start has it: a kubelet.conf that is there already is the kubelet's own work.
    signed = ctx.joined is not None and node.name in ctx.joined.kubelet_credentials
    own = signed and paths.KUBELET_CONF not in ctx.facts.files
    port = kubelet.healthz_port(ctx.cluster, node, ctx.facts)
    return [
        waits.kubelet_healthy(port, timeouts.kubelet_health_check),
        *([] if own else [_own_certificate(ctx)]),
        # Beside a certificate that was signed beforehand a killed join may have left its token.
        *([] if own and paths.BOOTSTRAP_KUBELET_CONF not in ctx.facts.files else [_DROP_TOKEN]),
    ]


def _own_certificate(ctx: StepContext) -> Wait:
    """Wait for the certificate that the kubelet asks for by itself."""
    current = shlex.quote(ctx.node.kubelet_client_certificate)
    return Wait(
        "wait for the kubelet's certificate",
        # A kubelet that has static pods to run writes the first before it has the second.
        f"""[ -s {paths.KUBELET_CONF} ] && [ -s {current} ] && return 0
echo "the cluster has not signed the kubelet's certificate yet"
return 1""",
        ctx.cluster.join_timeouts.tls_bootstrap,
        # Only this start of the kubelet counts: a host that was reset has the old cluster's refusals too.
        hopeless="""id=$(systemctl show -p InvocationID --value kubelet 2>/dev/null)
[ -n "$id" ] || return 1
line=$(journalctl "_SYSTEMD_INVOCATION_ID=$id" -n 30 --no-pager -o cat 2>/dev/null \
| grep -m 1 -E 'Unauthorized|is forbidden|x509: ') || return 1
printf 'the API server refuses the kubelet: %s\\n' "$line" | cut -c 1-300
""",
        diagnose="""echo "kubelet says:"
journalctl -u kubelet -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300 | sed 's/^/  /'
""",
        logs=("kubelet",),
        look="kubectl get csr",
    )


STEP = Step("kubelet-wait-bootstrap", "kubelet's certificate", plan, phase="kubelet-wait-bootstrap")
STEP_AGAIN = Step("kubelet-again", "kubelet", plan_again, phase="kubelet-wait-bootstrap")
STEP_CERTIFICATE = Step(
    "kubelet-wait-bootstrap", "kubelet's certificate", plan_certificate, phase="kubelet-wait-bootstrap"
)
"""A control plane is marked before it is Ready, so that no pod that does not belong there is placed on it."""
STEP_READY = Step("node-ready", "node", plan_ready, phase="kubelet-wait-bootstrap")
