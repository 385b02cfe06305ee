"""Have a host's kube-proxy started anew where it began with an older configuration than the cluster has.

A kubelet may bring a new pod the ConfigMap as it remembers it: a watch that broke with an API server is made
anew only after a while. kube-proxy reads its files once, so such a pod goes on with what was before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript, Wait
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.live import key
from kubeadm_py.render import objects
from kubeadm_py.steps.base import Step, StepContext

AWAITED = paths.KUBE_PROXY_AWAITED
"""Lies on a host from before its kube-proxy is replaced until the new one is known to be right, or the host
starts anew, and all that runs there with it."""
_FOLDER = "/var/lib/kube-proxy"
_BROUGHT_WITHIN = timedelta(minutes=5)
"""A kubelet looks after a pod's files once a minute or so, and asks for them anew after 30 s at most."""
_STARTS_WITHIN = 60
# Others may run in containers with a network of their own. The files are looked at as the process sees them.
_PROCESS = f"""proxy=$(pgrep -x kube-proxy --ns $$ --nslist net | head -n 1)
files=/proc/$proxy/root{_FOLDER}"""
_BROUGHT = """{process}
# Where none runs, or one that is set up in another way, nothing is read from there.
[ -n "$proxy" ] && [ -L "$files/..data" ] || return 0
{compared}
return 0"""
_COMPARED = """[ "$(sha256sum <"$files/{name}")" = "{digest}  -" ] || {{
  echo "the kubelet has not brought kube-proxy its new configuration yet ({name})"
  return 1
}}"""
# The kubelet brings all files at once, by a link to a new folder. When a process began is counted by the
# kernel's own clock: of two processes the difference says how long ago that was.
_ANEW = """{process}
if [ -z "$proxy" ] || [ ! -L "$files/..data" ]; then rm -f {awaited}; echo unchanged; exit 0; fi
brought=$(stat -c %.2Y "$files/..data")
began() {{ sed 's/^.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; }}
ago=$(($(began self) - $(began "$proxy")))
if awk -v now="$(date +%s.%N)" -v ago="$ago" -v every="$(getconf CLK_TCK)" -v brought="$brought" \\
  'BEGIN {{ exit !(now - ago / every >= brought) }}'; then
  rm -f {awaited}
  echo unchanged
  exit 0
fi
container=$(crictl ps --name '^kube-proxy$' --label io.kubernetes.pod.namespace=kube-system -q | head -n 1)
[ -n "$container" ] || {{ echo "crictl knows no container of kube-proxy; look: crictl ps -a" >&2; exit 1; }}
crictl --timeout 60s stop --timeout 30 "$container"
old=$proxy left={seconds}
while [ "$left" -gt 0 ]; do
  {again}
  if [ -n "$proxy" ] && [ "$proxy" != "$old" ]; then rm -f {awaited}; exit 0; fi
  left=$((left - 1))
  sleep 1
done
echo "the kubelet has not started kube-proxy again within {seconds} s; look: journalctl -u kubelet -n 50" >&2
exit 1"""


def plan(ctx: StepContext) -> list[Action]:
    """Wait for the files of this host's kube-proxy, and start it anew should they be younger than it is."""
    data = _data(ctx)
    compared = "\n".join(
        _COMPARED.format(name=name, digest=sha256(text.encode())) for name, text in data.items()
    )
    return [
        Wait(
            "wait for kube-proxy's configuration on this host",
            _BROUGHT.format(process=_PROCESS, compared=compared),
            _BROUGHT_WITHIN,
            interval=0.5,
            logs=("kubelet",),
            look="kubectl -n kube-system delete pods -l k8s-app=kube-proxy"
            f" --field-selector spec.nodeName={ctx.node.name}     (then apply again)",
        ),
        RunScript(
            "start kube-proxy anew should it be older than its configuration",
            _ANEW.format(
                process=_PROCESS,
                again=_PROCESS.partition("\n")[0],
                awaited=AWAITED,
                seconds=_STARTS_WITHIN,
            ),
            reason="it reads it once",
        ),
    ]


def _data(ctx: StepContext) -> Mapping[str, str]:
    """Return the files as the cluster has them: what says the same in other words was left as it is."""
    config_map = objects.kube_proxy_config_map(ctx.cluster)
    name = key(config_map)
    data: Mapping[str, str] = config_map["data"]
    if ctx.live is None or name not in ctx.live.there or ctx.live.differs(name):
        return data
    there = ctx.live.there[name].get("data") or {}
    return {file: str(there.get(file, text)) for file, text in data.items()}


STEP = Step("proxy-reads", "kube-proxy's configuration", plan)
