"""Build the waits for what was changed while it was at work: replaced, healthy, and staying so."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.model import endpoint as endpoints
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Wait
from kubeadm_py.model.node import Role
from kubeadm_py.render import endpoint, probes
from kubeadm_py.steps import renew, waits
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.etcd import cluster as etcd_cluster

STEADY_SECONDS = 5
"""How long a component has to run: what its flags or files let fall, falls earlier."""
OTHERS_DEADLINE = timedelta(seconds=60)
_HOPELESS_EXITS = 3
_UNCHANGED_PATIENCE = 60
"""A kubelet looks at its manifests all 20 s, and a pod may take 30 s to end."""
_INTERVAL = 0.4


def replaced(ctx: StepContext, name: str, *, written: bool) -> Wait:
    """Wait until a static pod is of the manifest that lies there, answers, and stays up.

    `written` says that the manifest is written in this stage.
    """
    manifest = endpoint.manifest_path(name)
    grace = str(renew.GRACE.get(name, ""))
    words = shlex.join([name, manifest, "1" if written else "", str(_UNCHANGED_PATIENCE), grace])
    # What a failed stage takes away again is not waited for.
    gone = f"[ -e {manifest} ] || return 0\n"
    return _steady(ctx, name, f"{gone}kpy_replaced {words} || return 1", f"wait for {name} to be replaced")


def restarted(ctx: StepContext, name: str) -> Wait:
    """Wait until a static pod that was started anew answers and stays up."""
    running = f"""kpy_container {name}
kpy_counted {name}
case $kpy_state_of in
  *RUNNING) ;;
  *) echo "{name} does not run"; return 1 ;;
esac"""
    return _steady(ctx, name, running, f"wait for {name} to be back")


def _steady(ctx: StepContext, name: str, first: str, title: str) -> Wait:
    healthy = _healthy(ctx, name)
    until = f"""{first}
kpy_healthy() {{
{healthy.until}
}}
kpy_healthy || return 1
kpy_steady {name} {STEADY_SECONDS}"""
    hopeless = f"""exits=$(cat "$kpy_tmp/exits.{name}" 2>/dev/null)
[ "${{exits:-0}}" -ge {_HOPELESS_EXITS} ] || return 1
echo "{name} cannot run: it ended $exits times"
"""
    return Wait(
        title,
        until,
        ctx.timeouts.control_plane_component_health_check,
        interval=_INTERVAL,
        hopeless=hopeless,
        diagnose=waits.container_log(name),
        logs=(name,),
    )


def _healthy(ctx: StepContext, name: str) -> Wait:
    """Return the usual wait for a component's health."""
    deadline = ctx.timeouts.control_plane_component_health_check
    if name == "etcd":
        return etcd_healthy(ctx, deadline)
    if name in (endpoint.HAPROXY, endpoint.KEEPALIVED):
        if name == endpoint.KEEPALIVED or not endpoints.runs_haproxy(ctx.cluster, ctx.node):
            return Wait(name, "return 0", deadline)
        return waits.static_pod_listens(name, endpoints.port(ctx.cluster), deadline)
    usual = [*control_plane_waits.plan(ctx), *control_plane_waits.plan_others(ctx)]
    return next(each for each in usual if isinstance(each, Wait) and each.title == f"wait for {name}")


def etcd_healthy(ctx: StepContext, deadline: timedelta) -> Wait:
    """Wait until every member of the cluster answers, this host's own among them."""
    local = ctx.cluster.etcd.local
    port = probes.etcd_clients(local, ctx.node).port if local is not None else 0
    functions = etcd_cluster.functions(ctx.cluster, ctx.node, f"https://{ctx.node.local_endpoint}")
    return Wait(
        "wait for etcd",
        f"""{functions}
kpy_listens {port:04X} || {{ echo "etcd has not started"; return 1; }}
answer=$(kpy_etcdctl "$own_client" endpoint health --cluster 2>&1) && return 0
printf 'etcd: %s\\n' "$(printf '%s\\n' "$answer" | grep -m 1 -i unhealthy || kpy_last)" | cut -c 1-300
return 1""",
        deadline,
        interval=_INTERVAL,
    )


def unit_steady(unit: str) -> Wait:
    """Wait until a service has run for a while; it was started a moment ago."""
    name = unit.removesuffix(".service")
    return Wait(
        f"wait whether {name} stays up",
        f"""kpy_service_since {unit}
[ "$kpy_since" -gt 0 ] || {{ echo "{name} does not run"; return 1; }}
[ $(($(date +%s) - kpy_since)) -ge {STEADY_SECONDS} ] && return 0
echo "{name} runs; it has to stay up for {STEADY_SECONDS} s"
return 1""",
        OTHERS_DEADLINE,
        interval=_INTERVAL,
        hopeless=f"""systemctl is-failed --quiet {unit} && echo "{name} cannot start\"""",
        diagnose=f"journalctl -u {unit} -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300",
        logs=(name,),
    )


def others_healthy(ctx: StepContext, touched: tuple[str, ...]) -> list[Wait]:
    """Wait until all others answer, before a control plane or a member of etcd is away for a moment."""
    if ctx.node.role is Role.ETCD and "etcd" in touched:
        wait = etcd_healthy(ctx, OTHERS_DEADLINE)
        return [replace(wait, title="wait for the other members of etcd")]
    others = [
        node
        for node in ctx.cluster.control_planes
        if node.name != ctx.node.name and endpoint.manifest_path("kube-apiserver") in _files(ctx, node.name)
    ]
    if ctx.node.role is not Role.CONTROL_PLANE or not touched or not others:
        return []
    if not static_pods.is_served(ctx):
        return []
    client = f"{ctx.cluster.certificates_dir}/apiserver-kubelet-client"
    authority = f"{ctx.cluster.certificates_dir}/ca.crt"
    asked = "".join(
        f"""kpy_ask {shlex.join([client, authority, probes.kube_apiserver(node).url(node), "/readyz"])} \\
  || {{ echo "the API server of {node.name} is not ready: $(kpy_last)"; return 1; }}
"""
        for node in others
    )
    etcd = etcd_healthy(ctx, OTHERS_DEADLINE).until if ctx.cluster.etcd.local is not None else "return 0"
    first, *rest = [node.name for node in others]
    return [
        Wait(
            "wait for the other control planes",
            asked + etcd,
            OTHERS_DEADLINE,
            interval=_INTERVAL,
            look=f"crictl ps -a     (on {' or '.join([first, *rest])}, as root)",
        )
    ]


def _files(ctx: StepContext, name: str) -> frozenset[str]:
    facts = ctx.all_facts.get(name)
    return frozenset(facts.files) if facts is not None else frozenset()


def kubelet(ctx: StepContext, port: int, *, ready: bool) -> Wait:
    """Wait until a kubelet that was started anew stays up and has told the cluster of its node.

    That of a host of role etcd has no cluster to tell.
    """
    usual = waits.kubelet_healthy(port, ctx.timeouts.kubelet_health_check)
    condition = '{.status.conditions[?(@.type=="Ready")].'
    template = condition + "status} " + condition + "lastHeartbeatTime}"
    asked = f"get node {shlex.quote(ctx.node.name)} -o jsonpath={shlex.quote(template)}"
    is_ready = """case $answer in
  True*) ;;
  *) echo "its node is not Ready"; return 1 ;;
esac
"""
    until = f"""kpy_healthy() {{
{usual.until}
}}
kpy_healthy || return 1
kpy_service_since kubelet.service
[ "$kpy_since" -gt 0 ] || {{ echo "the kubelet does not run"; return 1; }}
[ $(($(date +%s) - kpy_since)) -ge {STEADY_SECONDS} ] \\
  || {{ echo "the kubelet answers; it has to stay up for {STEADY_SECONDS} s"; return 1; }}
{"return 0" if ctx.node.role is Role.ETCD else ""}
answer=$({waits.kubectl(paths.KUBELET_CONF)} {asked} 2>&1) \\
  || {{ echo "the API does not answer: $(kpy_last)"; return 1; }}
{is_ready if ready else ""}told=$(date -d "${{answer#* }}" +%s 2>/dev/null)
[ "${{told:-0}}" -ge "$kpy_since" ] && return 0
echo "the kubelet has not told the API of its node yet"
return 1"""
    # A unit that systemd starts anew after it failed has failed twice by its second rest.
    hopeless = """restarts=$(systemctl show -p NRestarts --value kubelet 2>/dev/null)
[ "${restarts:-0}" -ge 1 ] && [ "$(systemctl show -p SubState --value kubelet)" = auto-restart ] || return 1
echo "the kubelet cannot run: it ended $((restarts + 1)) times"
"""
    return replace(
        usual,
        title="wait for the kubelet to be back",
        until=until,
        interval=_INTERVAL,
        hopeless=hopeless,
    )
