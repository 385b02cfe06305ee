"""Plan the end of a host's pods, with the container runtime or, where it is dead, without it."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.facts import HostFacts

_KUBELETS = "kubelet|kubelite|k3s*|k0s*|rke2*"
"""Names of processes that are a kubelet, or have one inside: their pods are theirs to end."""
_RUNTIME_ENDPOINT = re.compile(
    rb"(?:container-runtime-endpoint=|containerRuntimeEndpoint:\s*)[\"']?(unix://[^\s\"']+)"
)

_CONTAINERD = paths.CONTAINERD_SOCKET.removeprefix("unix://")

_NETWORKS = "/run/netns"
NO_NETWORK = f"{paths.CNI_CONF_DIR}/00-kubeadm-py-reset.conflist"
"""Lies there while a runtime forgets pods whose own network's configuration is gone already."""
RESET_AGAIN = "once it runs again, another reset has $unit forget them"
BY_HAND = "what $unit remembers of them goes with, once it runs again: crictl pods, crictl rmp --force ID"

_LOOPBACK = '{"cniVersion": "0.4.0", "name": "kubeadm-py-reset", "plugins": [{"type": "loopback"}]}'

_FUNCTIONS = f"""socket=@SOCKET@
crictl() {{
  if [ -n "$socket" ]; then command crictl --runtime-endpoint "$socket" "$@"; else command crictl "$@"; fi
}}
runtime() {{
  case $socket$(cat {paths.CRICTL_CONFIG} 2>/dev/null || true) in
    *crio*) echo crio.service ;;
    *cri-dockerd*) echo cri-docker.service ;;
    *) echo containerd.service ;;
  esac
}}
answers() {{
  command -v crictl >/dev/null 2>&1 && crictl --timeout 5s version >/dev/null 2>&1
}}
# Print the pods that a kubelet made; containerd tells them from those of its other users by their label.
pods_of_kubelets() {{
  listed=$(crictl pods -q) || return 1
  [ -n "$listed" ] || return 0
  address=${{socket#unix://}}
  if [ "$unit" = containerd.service ] && labelled=$(timeout 10 ctr -a "${{address:-{_CONTAINERD}}}" \\
      -n k8s.io containers ls -q 'labels."io.kubernetes.pod.uid"' 2>/dev/null); then
    printf '%s\\n' "$listed" | grep -Fx -e "$labelled" || true
  else
    printf '%s\\n' "$listed"
  fi
}}
# Print pid, pod and command of every process in a cgroup of a pod that the kubelet of this host keeps.
processes() {{
  for group in $(grep -ls kubepods /proc/[0-9]*/cgroup); do
    process=${{group%/cgroup}}
    # cgroup names of systemd have _ for -, and static pods have no - at all.
    pod=$(sed -n '/kubepods/ {{ s/^.*pod\\([0-9a-f_-]*\\).*$/\\1/p; q; }}' "$group" 2>/dev/null |
      tr _ -) || true
    if [ -n "$pod" ] && [ -d "{paths.KUBELET_DIR}/pods/$pod" ]; then
      printf '%s %s %s\\n' "${{process#/proc/}}" "$pod" "$(cat "$process/comm" 2>/dev/null || true)"
    fi
  done
}}
# A pod's network namespace outlives it, with the links into it, where the runtime did not end the pod.
drop_networks() {{
  for network in {_NETWORKS}/cni-*; do
    name=${{network##*/}}
    if [ -e "$network" ] && [ -z "$(ip netns pids "$name" 2>/dev/null)" ]; then
      ip netns delete "$name" 2>/dev/null || true
    fi
  done
}}
# The runtime takes a pod's network down before it forgets the pod: with one of nothing it can.
forget() {{
  kpy_mkdir {paths.CNI_CONF_DIR}
  printf '%s\\n' '{_LOOPBACK}' >{NO_NETWORK}
  for turn in 1 2 3 4 5; do
    if crictl --timeout 30s rmp -f "$@" >/dev/null 2>&1; then break; fi
    sleep 1
  done
  rm -f {NO_NETWORK}
}}
# end_with SIGNAL TURNS: send it to them, and wait half a second a turn for their end.
end_with() {{
  processes | while read -r pid rest; do kill -s "$1" "$pid" 2>/dev/null || true; done
  left=$2
  while [ "$left" -gt 0 ] && [ -n "$(processes)" ]; do
    left=$((left - 1))
    sleep 0.5
  done
}}
"""
# A runtime that is only stopped can end its pods itself, and forgets them then. etcd ends well on TERM.
_STOP = f"""systemctl stop kubelet.service 2>/dev/null || true
if command -v crictl >/dev/null 2>&1 && ! answers; then
  if [ "$(systemctl show -p LoadState --value "$unit" 2>/dev/null)" = loaded ]; then
    systemctl start "$unit" 2>/dev/null || true
    for turn in 1 2 3 4 5 6 7 8 9 10; do
      if answers; then break; fi
      sleep 1
    done
  fi
fi
if answers; then
  for turn in 1 2 3 4 5; do
    pods=$(pods_of_kubelets)
    [ -n "$pods" ] || break
    crictl --timeout 30s stopp $pods >/dev/null 2>&1 || true
    crictl --timeout 30s rmp -f $pods >/dev/null 2>&1 || true
  done
  left=$(pods_of_kubelets)
  if [ -n "$left" ]; then
    for pod in $left; do
      if [ -n "$(crictl pods -q --id "$pod" --state ready; crictl ps -q --pod "$pod")" ]; then
        echo "these pods do not go:" $left >&2
        echo "look: crictl pods; journalctl -u $unit -e; a reboot ends them, too" >&2
        exit 1
      fi
    done
    drop_networks
    forget $left
    left=$(pods_of_kubelets)
    [ -z "$left" ] || kpy_warn "nothing runs in these pods, but $unit cannot forget them:" $left
  fi
  others=
  for pod in $(crictl pods -q); do
    case $(echo " "$left" ") in *" $pod "*) ;; *) others="$others$pod " ;; esac
  done
  [ -z "$others" ] || kpy_warn "no kubelet made these pods, so they stay (crictl pods): $others"
else
  running=$(processes)
  if [ -n "$running" ]; then
    for name in /proc/[0-9]*/comm; do
      case $(cat "$name" 2>/dev/null || true) in
        {_KUBELETS})
          other=${{name%/comm}}
          echo "crictl reaches no container runtime, and a kubelet still runs: pid ${{other#/proc/}}" >&2
          echo "these processes of pods may be its own and were left alone (pid, pod, command):" >&2
          printf '%s\\n' "$running" >&2
          echo "end that kubelet or mend $unit, then run reset again; look: systemctl status $unit" >&2
          exit 1
          ;;
      esac
    done
    end_with TERM 20
    end_with KILL 20
    left=$(processes)
    if [ -n "$left" ]; then
      echo "crictl reaches no container runtime; these processes of pods do not end (pid, pod, command):" >&2
      printf '%s\\n' "$left" >&2
      echo "mend $unit and run reset again; look: systemctl status $unit; or reboot first" >&2
      exit 1
    fi
    kpy_warn "crictl reaches no container runtime: the processes of pods were ended without it$advice"
  elif [ -n "$(ls {paths.KUBELET_DIR}/pods 2>/dev/null || true)" ]; then
    kpy_warn "crictl reaches no container runtime; no process of a pod runs$advice"
  fi
  drop_networks
fi
# Empty in a moment; what stays in it is another kubelet's.
for turn in 1 2 3 4 5 6; do
  if ! grep -qs :/kubepods /proc/[0-9]*/cgroup; then
    systemctl stop kubepods.slice 2>/dev/null || true
    break
  fi
  sleep 0.5
done"""
# Only what the CRI's containers are known by: other users of containerd have namespaces of their own.
_LEFT = """for name in $(grep -lsx containerd-shim /proc/[0-9]*/comm); do
  process=${name%/comm}
  if tr '\\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q -e ' -namespace k8s.io '; then
    kill -s KILL "${process#/proc/}" 2>/dev/null || true
  fi
done
mounts=$(awk '{print $2}' /proc/mounts |
  grep -E '^/run/containerd/io[.]containerd[.](runtime.v2.task/k8s.io|grpc.v1.cri)/' | sort -r || true)
[ -n "$mounts" ] || { echo unchanged; exit 0; }
printf '%s\\n' "$mounts" | while read -r mount; do umount "$(printf '%b' "$mount")"; done"""


def endpoint(given: str, facts: HostFacts) -> str:
    """Return where the kubelet's runtime listens: as somebody said, else as the kubelet was told.

    Empty leaves it to crictl's own file, which is the host's.
    """
    if given:
        return given
    for path in (paths.KUBELET_INSTANCE_CONFIG, paths.KUBELET_CONFIG, paths.KUBELET_FLAGS_ENV):
        fact = facts.files.get(path)
        told = _RUNTIME_ENDPOINT.search((fact.content if fact is not None else None) or b"")
        if told:
            return told[1].decode(errors="replace")
    return "" if paths.CRICTL_CONFIG in facts.files else paths.CONTAINERD_SOCKET


def functions(socket: str) -> str:
    """Return what scripts need that speak with the runtime; `socket` empty: as crictl's own file says."""
    return _FUNCTIONS.replace("@SOCKET@", shlex.quote(socket)) + "unit=$(runtime)\n"


def stop(socket: str = "", *, advice: str = "") -> Action:
    """Stop the kubelet, then all its pods; without a runtime what the kubelet's pods run.

    Pods that no kubelet made stay. The script fails, naming them, where processes of pods cannot be ended
    safely. `advice` says what to do about what a dead runtime will remember.
    """
    told = f'advice="{advice and "; "}{advice}"\n'
    return RunScript(
        "stop the kubelet and the pods", functions(socket) + told + _STOP, timeout=timedelta(minutes=5)
    )


def clear_away() -> Action:
    """Clear away what a containerd that was dead could not: its pods' shims and mounts. It has to be ours."""
    return RunScript("unmount what containers had mounted", _LEFT)
