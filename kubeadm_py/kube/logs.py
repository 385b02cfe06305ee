"""Read what a component of a host has logged last, from the files and the journal: no runtime is asked."""

from __future__ import annotations

import base64
import binascii
import shlex
from dataclasses import dataclass

UNITS = ("kubelet", "containerd")
"""Components that are services of systemd; all others are containers of the kubelet's pods, by name."""
PODS_DIR = "/var/log/pods"
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "haproxy",
    "keepalived",
    *UNITS,
    "kube-proxy",
    "coredns",
    "kube-flannel",
)
"""What is offered; any other container's name will do."""

_LOG, _KNOWN = "##kubeadm-py log ", "##kubeadm-py known "
# A file is named PODS_DIR/NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log, and a line `TIME STREAM F|P TEXT`: P is a
# part of a line. A static pod that was replaced has directories by several uids: the newest file counts.
_CONTAINER = f"""cd {PODS_DIR} 2>/dev/null || exit 0
for file in */"$component"/*.log; do
  [ -e "$file" ] && printf '%s %s\\n' "$(stat -L -c %.9Y "$file")" "$file"
done | sort -rn -k 1,1 | awk -v wanted="$nth" '
{{
  pod = $2
  sub("_[^_/]*/.*", "", pod)
  if (++count[pod] == wanted) print pod, $2
}}' | sort | while read -r pod file; do
  printf '{_LOG}%s ' "$pod"
  tail -n "$lines" "$file" | awk '{{
    partly = $3 ~ /^P/
    sub(/^[^ ]+ [^ ]+ [^ ]+ ?/, "")
    if (partly) printf "%s", $0
    else print
  }}' | base64 -w0
  echo
done
for folder in */*/; do printf '{_KNOWN}%s\\n' "$(basename "$folder")"; done | sort -u"""
_UNIT = f"""printf '{_LOG}%s ' "$component"
journalctl --unit "$component" --lines "$lines" --no-pager --output short-iso --quiet 2>&1 | base64 -w0
echo"""


@dataclass(frozen=True, slots=True)
class Log:
    """Hold the last lines of one pod's container, or of a unit."""

    source: str
    """NAMESPACE_POD, or the unit."""
    text: str

    @property
    def lines(self) -> list[str]:
        """Return its lines."""
        return self.text.splitlines()


def question(component: str, *, lines: int, previous: bool) -> str:
    """Return a script that prints the last lines of a component; `previous` those of the one before."""
    body = _UNIT if component in UNITS else _CONTAINER
    return f"""(
component={shlex.quote(component)} lines={lines} nth={2 if previous else 1}
{body}
)
"""


def answers(output: bytes) -> tuple[list[Log], list[str]]:
    """Return what a host has of the component, and the names of all containers that have logged there."""
    found, known = [], []
    for line in output.decode(errors="replace").splitlines():
        if line.startswith(_KNOWN):
            known.append(line.removeprefix(_KNOWN))
        elif line.startswith(_LOG):
            source, _, encoded = line.removeprefix(_LOG).partition(" ")
            try:
                text = base64.b64decode(encoded, validate=True).decode(errors="replace")
            except binascii.Error:
                continue
            found.append(Log(source, text))
    return found, known
