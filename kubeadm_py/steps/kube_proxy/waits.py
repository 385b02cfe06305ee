"""Build the wait for kube-proxy while its DaemonSet replaces its pods node by node."""

from __future__ import annotations

import shlex
from datetime import timedelta

from kubeadm_py.model.actions import Wait
from kubeadm_py.steps import waits
from kubeadm_py.steps.nodes import pods as node_pods

_AT_LEAST = timedelta(minutes=2)
_A_NODE = timedelta(seconds=20)
_HOPELESS_EXITS = 2
"""The roll stops at the first node where it falls, so nobody else waits; its rules stay in the kernel."""


def rolled(nodes: int, kubeconfig: str, server: str) -> Wait:
    """Wait until each node's kube-proxy is of the DaemonSet's template and has run for a while."""
    command = f"{waits.kubectl(kubeconfig, server)} -n kube-system"
    # What nobody has counted yet is left out of a status.
    status = (
        "made={.metadata.generation} seen={.status.observedGeneration} want={.status.desiredNumberScheduled} "
        "new={.status.updatedNumberScheduled} have={.status.numberAvailable}"
    )
    state = "{.status.containerStatuses[0]."
    pods = (
        "{range .items[*]}{.metadata.name} {.spec.nodeName} " + state + "restartCount} "
        "{.metadata.labels.pod-template-generation} "
        + state
        + "state.waiting.reason}"
        + state
        + 'state.terminated.reason}{"\\n"}{end}'
    )
    until = f"""answer=$({command} get daemonset kube-proxy -o jsonpath={shlex.quote(status)} 2>&1) \\
  || {{ kpy_last; return 1; }}
set -- $answer
made=${{1#made=}}; seen=${{2#seen=}}; want=${{3#want=}}; new=${{4#new=}}; have=${{5#have=}}
want=${{want:-1}}
if [ "$made" = "$seen" ] && [ "${{new:-0}}" -ge "$want" ] && [ "${{have:-0}}" -ge "$want" ]; then
  return 0
fi
# What the look for hopeless ones saw last.
where=
[ ! -e "$kpy_tmp/proxies" ] || while read -r pod node exits generation why; do
  [ -z "$why" ] || where="$where; on $node: $why"
done <"$kpy_tmp/proxies"
echo "kube-proxy is replaced on ${{new:-0}} of $want nodes, ${{have:-0}} work$where"
return 1"""
    listed = f"{command} get pods -l k8s-app=kube-proxy"
    hopeless = f"""{listed} -o jsonpath={shlex.quote(pods)} >"$kpy_tmp/proxies" 2>&1
made=$({command} get daemonset kube-proxy -o jsonpath='{{.metadata.generation}}' 2>/dev/null)
while read -r pod node exits generation why; do
  [ "$generation" = "$made" ] && [ -n "$why" ] || continue
  case $why in
    {waits.ENDED_REASONS})
      [ "$exits" -ge {_HOPELESS_EXITS} ] || continue
      why="it ended $exits times ($why)"
      ;;
    ErrImage* | ImagePull* | InvalidImageName | CreateContainer*) ;;
    *) continue ;;
  esac
  echo "kube-proxy on $node cannot run: $why"
  guilty=$pod
  return 0
done <"$kpy_tmp/proxies"
return 1"""
    diagnose = f"""if [ -n "${{guilty:-}}" ]; then
  {node_pods.last_words(command, '"$guilty"')}
  return
fi
{listed} -o wide 2>&1 | cut -c 1-200"""
    return Wait(
        "wait for kube-proxy on every node",
        until,
        _AT_LEAST + nodes * _A_NODE,
        interval=0.5,
        hopeless=hopeless,
        diagnose=diagnose,
        look="kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide",
    )
