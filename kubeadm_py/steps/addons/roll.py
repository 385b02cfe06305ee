"""Guard what changes of an add-on that works: its pods are waited for, all is put back where they fall."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from kubeadm_py.addons import load as addons
from kubeadm_py.model.actions import Action, Late, RunScript, Wait
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.nodes import pods as node_pods
from kubeadm_py.steps.nodes import waits as node_waits
from kubeadm_py.steps.nodes.waits import Workload
from kubeadm_py.steps.objects import guard as rolling
from kubeadm_py.steps.objects.addons import AddonObjects
from kubeadm_py.steps.objects.groups import addon_phase

_AT_LEAST = timedelta(minutes=5)
_A_NODE = timedelta(seconds=20)
"""A DaemonSet replaces its pods on one node after the other."""
_SINCE = "begun.addon"
"""Of the files that a stage forgets before it puts back: what fell before says nothing about what comes."""
# What goes on from a run that was cut off rolls whatever is there: a DaemonSet may be gone, or not there yet.
_MAY_BE_GONE = """case $answer in *'(NotFound)'*) ;; *) echo "$answer" >&2; exit 1 ;; esac"""


def works(each: AddonObjects, ctx: StepContext) -> bool:
    """Say whether all that makes an add-on ready is there and well, so that one could go back to it."""
    listed = _workloads(each)
    if ctx.live is None or not listed:
        return False
    return all(_is_well(ctx.live.there.get(f"{item.kind} {item.namespace}/{item.name}")) for item in listed)


def guarded(
    ctx: StepContext,
    each: AddonObjects,
    changing: Sequence[Mapping[str, Any] | Late],
    change: Sequence[Action],
) -> list[Action]:
    """Return a change of an add-on with a guard around it; `changing` are the objects that it is about."""
    kubeconfig, server = rolling.spoken_to(ctx)
    workloads = _workloads(each)
    wait = rolled(each.item.name, workloads, len(ctx.cluster.nodes), kubeconfig, server)
    daemons = _counting_at_once(each, workloads)
    end = (wait, *_counted_after("count new pods at once again", daemons, None, kubeconfig, server))
    slower = _counted_after(
        "let each new pod run for a while", daemons, rolling.READY_SECONDS, kubeconfig, server
    )
    kept = [item for item in changing if isinstance(item, Mapping)]
    return rolling.guarded(ctx, addon_phase(each.item.name), kept, [*slower, *change], end)


def _counting_at_once(each: AddonObjects, workloads: Sequence[Workload]) -> list[Workload]:
    """Return the DaemonSets that say nothing of how long a pod has to run before it counts.

    Without a probe a pod that falls a moment later is ready at first, and the next node loses its own.
    """
    own = {
        (item["metadata"].get("namespace"), item["metadata"]["name"])
        for item in each.staged.workloads
        if "minReadySeconds" in (item.get("spec") or {})
    }
    return [item for item in workloads if item.kind == "DaemonSet" and (item.namespace, item.name) not in own]


def _counted_after(
    title: str, daemons: Sequence[Workload], seconds: int | None, kubeconfig: str, server: str
) -> list[Action]:
    # No part of what we apply: the next apply leaves it alone.
    patch = shlex.quote(json.dumps({"spec": {"minReadySeconds": seconds}}))
    command = waits.kubectl(kubeconfig, server)
    return [
        RunScript(
            f"{title}: {item.name}",
            f"answer=$({command} patch {item.resource} -n {shlex.quote(item.namespace)}"
            f" --field-manager {rolling.ROLL_MANAGER} -p {patch} 2>&1) || {_MAY_BE_GONE}\necho unchanged",
            reason="so that the next node waits for it",
        )
        for item in daemons
    ]


def rolled(name: str, workloads: Sequence[Workload], nodes: int, kubeconfig: str, server: str) -> Wait:
    """Wait until an add-on's pods are of its latest form and ready; give up once new ones end repeatedly."""
    usual = node_waits.workloads_ready(
        f"wait for {name} on every node", workloads, kubeconfig, server, _AT_LEAST + nodes * _A_NODE
    )
    command = waits.kubectl(kubeconfig, server)
    namespaces = " ".join(sorted({item.namespace for item in workloads}))
    reason = "{.state.waiting.reason}{.state.terminated.reason}"
    state = "{range .status.containerStatuses[*]}{.name}:{.restartCount}:" + reason + " {end}"
    pods = "{range .items[*]}{.metadata.creationTimestamp} {.metadata.name} on={.spec.nodeName} " + state
    since = f'[ -s "$kpy_tmp/{_SINCE}" ] || date -u -d "@$(($(date +%s) - 5))" +%FT%TZ >"$kpy_tmp/{_SINCE}"\n'
    hopeless = f"""for namespace in {namespaces}; do
  {command} get pods -n "$namespace" -o jsonpath='{pods}{{"\\n"}}{{end}}' 2>/dev/null | sed "s/^/$namespace /"
done >"$kpy_tmp/addon-pods"
since=$(cat "$kpy_tmp/{_SINCE}")
while read -r namespace made pod on states; do
  [ "$(printf '%s\\n' "$since" "$made" | sort | head -n 1)" = "$since" ] || continue
  for state in $states; do
    container=${{state%%:*}}
    state=${{state#*:}}
    why=${{state#*:}}
    case $why in
      {waits.ENDED_REASONS})
        [ "${{state%%:*}}" -ge {waits.HOPELESS_EXITS} ] || continue
        why="it ended ${{state%%:*}} times ($why)"
        ;;
      CreateContainerConfigError | InvalidImageName | ErrImageNeverPull) ;;
      *) continue ;;
    esac
    on=${{on#on=}}
    echo "$pod on ${{on:-no node yet}} cannot run: $why"
    guilty="$pod -n $namespace -c $container"
    return 0
  done
done <"$kpy_tmp/addon-pods"
return 1"""
    diagnose = f"""{usual.diagnose}
if [ -n "${{guilty:-}}" ]; then
  echo "${{guilty%% *}} says:"
  {node_pods.last_words(command, "$guilty")}
fi"""
    return replace(usual, until=since + usual.until, hopeless=hopeless, diagnose=diagnose)


def _workloads(each: AddonObjects) -> list[Workload]:
    """Return the add-on's own workloads that make it ready; an APIService is answered for by one of them."""
    ready = addons.readiness([each.item])
    return [Workload(item.kind, item.namespace, item.name) for item in ready if item.namespace]


def _is_well(there: Mapping[str, Any] | None) -> bool:
    if there is None:
        return False
    status, spec = there.get("status") or {}, there.get("spec") or {}
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 0))
    have = status.get("numberAvailable", status.get("availableReplicas", 0))
    return bool(wanted) and int(have) >= int(wanted)
