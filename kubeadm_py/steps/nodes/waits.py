"""Build waits for what the API says: nodes that register and get Ready, pods that run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kubeadm_py.model.actions import Wait
from kubeadm_py.steps.nodes import pods
from kubeadm_py.steps.waits import KUBELET_LOG, LOG_LINES, kubectl

_NODE_DELAY_SECONDS = 2.3
"""A kubelet looks for its node a second after its start, and for containers that ended once a second; a
network's first pod goes through both. A kubectl that starts meanwhile takes the processor from them, and the
node is Ready a whole second later."""
_NETWORK_PATIENCE_SECONDS = 20
"""A pod network that is in the cluster is on a new node well before."""
NO_NETWORK = "gets Ready once the cluster has a pod network"
_SHORTER = (
    r"s/container runtime network not ready: .* reason:\([A-Za-z]*\) message:Network plugin returns error/\1/"
)
"""The kubelet's words on a missing network, without what pushes the reason out of the line."""
_WATCH_SECONDS = 6
"""How long one watch goes on before the operator is told what is missing."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Name what a wait is about: a DaemonSet, Deployment or StatefulSet, or an APIService in no namespace."""

    kind: str
    namespace: str
    name: str

    @property
    def resource(self) -> str:
        """Return `kind/name` as kubectl takes it."""
        return f"{self.kind.lower()}/{self.name}"


def workloads_ready(
    title: str, workloads: Sequence[Workload], kubeconfig: str, server: str, deadline: timedelta
) -> Wait:
    """Wait until all pods that these workloads want on the present nodes are ready, in their latest form."""
    command = kubectl(kubeconfig, server)
    template = (
        "{range .items[*]}{.kind} {.metadata.namespace} {.metadata.name} "
        "made={.metadata.generation} seen={.status.observedGeneration} "
        "want={.status.desiredNumberScheduled}{.spec.replicas} "
        "have={.status.numberAvailable}{.status.availableReplicas} "
        "new={.status.updatedNumberScheduled}{.status.updatedReplicas} "
        "how={.spec.updateStrategy.type}{.spec.strategy.type}"
        '{"\\n"}{end}'
    )
    wanted = "\n".join(f"{item.kind} {item.namespace or '-'} {item.name}" for item in workloads)
    namespaces = sorted({item.namespace for item in workloads if item.namespace})
    look = (
        f"kubectl get pods -n {namespaces[0]} -o wide\nkubectl get events -n {namespaces[0]}"
        if namespaces
        else ""
    )
    asked = "get daemonsets,deployments,statefulsets -A -o jsonpath=" + shlex.quote(template)
    until = f"""answer=$({command} {asked} 2>&1) || {{ kpy_last; return 1; }}
missing=
while read -r kind namespace name; do
  if [ "$kind" = APIService ]; then
    {command} wait --for=condition=Available "apiservice/$name" --timeout=1s </dev/null >/dev/null 2>&1 \
      || missing="${{missing:+$missing, }}$name: does not answer"
    continue
  fi
  line=$(printf '%s\\n' "$answer" | grep "^$kind $namespace $name ") \
    || {{ missing="${{missing:+$missing, }}$name: not there yet"; continue; }}
  # A status that nobody has written yet leaves nothing behind the signs.
  set -- $line
  made=${{4#made=}}; seen=${{5#seen=}}; want=${{6#want=}}; have=${{7#have=}}; new=${{8#new=}}
  if [ "$made" != "$seen" ] || [ "${{want:-0}}" -lt 1 ] || [ "${{have:-0}}" -lt "${{want:-0}}" ]; then
    missing="${{missing:+$missing, }}$name: ${{have:-0}} of ${{want:-?}} pods ready"
    continue
  fi
  # Where pods are replaced by themselves, those of the form before are no answer.
  case $kind/${{9#how=}} in
    StatefulSet/* | */OnDelete) continue ;;
  esac
  if [ "${{new:-0}}" -lt "$want" ]; then
    missing="${{missing:+$missing, }}$name: ${{new:-0}} of $want pods replaced"
  fi
done <<'KPY_WANTED'
{wanted}
KPY_WANTED
[ -z "$missing" ] && return 0
echo "$missing"
return 1"""
    diagnose = pods.not_ready(command, namespaces) if namespaces else ""
    return Wait(title, until, deadline, interval=0.5, diagnose=diagnose, look=look)


def nodes_ready(names: Sequence[str], kubeconfig: str, server: str, deadline: timedelta) -> Wait:
    """Wait until all these nodes are Ready, as a leader sees them."""
    nodes = shlex.join(f"node/{name}" for name in names)
    command = kubectl(kubeconfig, server)
    waiting = f"{command} wait --for=condition=Ready {nodes} --timeout={_WATCH_SECONDS}s"
    until = f"""answer=$({waiting} 2>&1) && return 0
missing=$(printf '%s\\n' "$answer" | sed -n 's/^.* on nodes*\\/\\([^ ]*\\)$/\\1/p' | tr '\\n' ' ')
echo "not Ready: ${{missing:-$(kpy_last)}}"
return 1"""
    return Wait(
        f"wait for {', '.join(names)} to be Ready",
        until,
        deadline,
        diagnose=f"{command} get nodes -o wide 2>&1 | cut -c 1-200",
        look=f"kubectl get nodes -o wide\nkubectl describe node {names[0] if len(names) == 1 else 'NAME'}",
    )


def node_registered(name: str, kubeconfig: str, deadline: timedelta) -> Wait:
    """Wait until the cluster knows this node: where nobody brings a pod network, it cannot be Ready yet."""
    command = kubectl(kubeconfig)
    return Wait(
        f"wait for {name} to register",
        f"""answer=$({command} get node {shlex.quote(name)} -o name 2>&1) && return 0
echo "not registered: $(kpy_last)"
return 1""",
        deadline,
        delay=_NODE_DELAY_SECONDS,
        diagnose=KUBELET_LOG,
        logs=("kubelet",),
    )


def _without_network(name: str) -> str:
    return f"""case $answer in
  *NetworkPluginNotReady* | *'cni plugin not initialized'*)
    now=$(date +%s)
    [ -e "$kpy_tmp/no-network" ] || echo "$now" >"$kpy_tmp/no-network"
    if [ $((now - $(cat "$kpy_tmp/no-network"))) -ge {_NETWORK_PATIENCE_SECONDS} ]; then
      kpy_warn {shlex.quote(f"{name} {NO_NETWORK}")}
      return 0
    fi
    ;;
esac"""


def node_ready(
    name: str, kubeconfig: str, server: str, deadline: timedelta, *, network_comes: bool = True
) -> Wait:
    """Wait until this node is Ready; a kubelet's own kubeconfig may ask that about itself.

    One watch waits, for a kubectl every moment takes from pods that start the processor that they need.
    Where nobody knows whether a pod network comes, a node that lacks nothing else is done after a while.
    """
    command = kubectl(kubeconfig, server)
    watched = (
        f"{command} wait --for=condition=Ready {shlex.quote(f'node/{name}')} --timeout={_WATCH_SECONDS}s"
    )
    condition = '{.status.conditions[?(@.type=="Ready")].'
    template = condition + "status} " + condition + "message}"
    until = f"""answer=$({watched} 2>&1) && return 0
case $answer in
  *'timed out waiting for the condition'*) ;;
  *) echo "not registered: $(kpy_last)"; return 1 ;;
esac
answer=$({command} get node {shlex.quote(name)} -o jsonpath={shlex.quote(template)} 2>&1) \
  || {{ echo "not registered: $(kpy_last)"; return 1; }}
case $answer in
  True*) return 0 ;;
esac
{"" if network_comes else _without_network(name)}
echo "not Ready: ${{answer#* }}" | sed {shlex.quote(_SHORTER)} | cut -c 1-300
return 1"""
    return Wait(
        f"wait for {name} to be Ready",
        until,
        deadline,
        delay=_NODE_DELAY_SECONDS,
        diagnose=f"""{command} get node {shlex.quote(name)} -o wide 2>&1 | cut -c 1-200
echo "kubelet says:"
journalctl -u kubelet -n {LOG_LINES} --no-pager -o cat 2>/dev/null | cut -c 1-300 | sed 's/^/  /'
""",
        logs=("kubelet",),
        look=f"kubectl describe node {name}",
    )
