"""Build the shell that tells of pods that do not work: which, where, why, and what they said last."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_MOST = 8
"""Pods and warnings that are named of one namespace."""
_STATE = "{.ready}:{.restartCount}:{.state.waiting.reason}{.state.terminated.reason} "
_PODS = (
    "{range .items[*]}{.metadata.name} on={.spec.nodeName} {.status.phase} "
    f"{{range .status.initContainerStatuses[*]}}{_STATE}{{end}}"
    f'{{range .status.containerStatuses[*]}}{_STATE}{{end}}{{"\\n"}}{{end}}'
)
# Whoever writes events by the newer API leaves the older API's time empty.
_WARNINGS = (
    "{range .items[*]}{.eventTime}{.lastTimestamp} {.involvedObject.kind}/{.involvedObject.name} "
    '{.reason}: {.message}{"\\n"}{end}'
)


def not_ready(command: str, namespaces: Sequence[str]) -> str:
    """Return shell that prints the pods that are not ready, a line each, and the last warnings about them.

    `command` is how kubectl is called.
    """
    asked_pods = f'{command} get pods -n "$namespace" -o jsonpath={shlex.quote(_PODS)}'
    asked_events = f'{command} get events -n "$namespace" --field-selector type=Warning'
    return f"""for namespace in {shlex.join(namespaces)}; do
  {asked_pods} >"$kpy_tmp/pods-all" 2>&1 \\
    || {{ cut -c 1-300 "$kpy_tmp/pods-all"; continue; }}
  while read -r pod on phase states; do
    [ "$phase" != Succeeded ] || continue
    why=
    [ -n "$states" ] || why=$phase
    for state in $states; do
      case $state in true:*) continue ;; esac
      state=${{state#*:}}
      why=${{state#*:}}
      why=${{why:-runs, but is not ready}}
      [ "${{state%%:*}}" = 0 ] || why="$why; restarts: ${{state%%:*}}"
      break
    done
    [ -z "$why" ] || {{ on=${{on#on=}}; echo "$pod on ${{on:-no node yet}}: $why"; }}
  done <"$kpy_tmp/pods-all" >"$kpy_tmp/pods-not-ready"
  head -n {_MOST} "$kpy_tmp/pods-not-ready"
  {asked_events} -o jsonpath={shlex.quote(_WARNINGS)} 2>&1 \\
    | sort | while read -r when what said; do
      case $what in
        Pod/*) grep -q "^${{what#Pod/}} " "$kpy_tmp/pods-not-ready" || continue ;;
      esac
      printf '%s %s\\n' "${{what#Pod/}}" "$said"
    done | uniq | tail -n {_MOST} | cut -c 1-300
done"""


def last_words(command: str, pod: str) -> str:
    """Return shell that prints what a pod logged last; `pod` is what follows `kubectl logs` there."""
    # They may be the present container's or the one's before; of either the runtime may know no more.
    return f"""said=$({command} logs {pod} --tail 8 2>/dev/null)
case $said in
  '' | 'unable to retrieve container logs'*) said=$({command} logs {pod} --previous --tail 8 2>&1) ;;
esac
printf '%s\\n' "$said" | cut -c 1-300 | sed 's/^/  /'"""
