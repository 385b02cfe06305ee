"""Plan the end of a host's pods, with the container runtime or, where it is dead, without it."""

from __future__ import annotations

from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript

_KUBELETS = "kubelet|kubelite|k3s*|k0s*|rke2*"
"""Names of processes that are a kubelet, or have one inside: their pods are theirs to end."""

_FUNCTIONS = f"""runtime() {{
  if grep -qs crio {paths.CRICTL_CONFIG}; then echo crio.service; else echo containerd.service; fi
}}
answers() {{
  command -v crictl >/dev/null 2>&1 && crictl --timeout 5s version >/dev/null 2>&1
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
    pods=$(crictl pods -q)
    [ -n "$pods" ] || break
    crictl --timeout 30s stopp $pods >/dev/null 2>&1 || true
    crictl --timeout 30s rmp -f $pods >/dev/null 2>&1 || true
  done
  left=$(crictl pods -q)
  if [ -n "$left" ]; then
    echo "these pods do not go: $left" >&2
    echo "look: crictl pods; journalctl -u $unit -e; a reboot ends them, too" >&2
    exit 1
  fi
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
    kpy_warn "crictl reaches no container runtime: the processes of pods were ended without it$forget"
  elif [ -n "$(ls {paths.KUBELET_DIR}/pods 2>/dev/null || true)" ]; then
    kpy_warn "crictl reaches no container runtime; no process of a pod runs$forget"
  fi
fi
# Empty in a moment; what stays in it is another kubelet's.
for turn in 1 2 3 4 5 6; do
  if ! grep -qs :/kubepods /proc/[0-9]*/cgroup; then
    systemctl stop kubepods.slice 2>/dev/null || true
    break
  fi
  sleep 0.5
done"""
_FORGET = "; what $unit remembers of them goes with, once it runs again: crictl rmp --all --force"

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


def stop(*, runtime_stays: bool) -> Action:
    """Stop the kubelet, then all pods of the runtime; without a runtime what the kubelet's pods run.

    The script fails, naming them, where processes of pods cannot be ended safely. Where the runtime stays,
    it says what a dead one will remember.
    """
    forget = f'unit=$(runtime)\nforget="{_FORGET if runtime_stays else ""}"\n'
    return RunScript(
        "stop the kubelet and the pods", _FUNCTIONS + forget + _STOP, timeout=timedelta(minutes=5)
    )


def clear_away() -> Action:
    """Clear away what a containerd that was dead could not: its pods' shims and mounts. It has to be ours."""
    return RunScript("unmount what containers had mounted", _LEFT)
