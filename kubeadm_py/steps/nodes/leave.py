"""Build what a control plane does for hosts that leave the cluster."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript, Wait
from kubeadm_py.model.quorum import Member
from kubeadm_py.steps import waits

AFTER_DEADLINE = timedelta(minutes=1)
"""What a script may take beyond the drain's own deadline."""
HEALTH_DEADLINE = timedelta(seconds=60)
_DRAIN = """if {drain} --timeout={seconds}s {forced}; then exit 0; fi
{otherwise}"""
_GIVE_UP = """echo "pods that are still there:"
{kubectl} get pods -A --field-selector spec.nodeName={name} 2>&1 | cut -c 1-200
echo {name}' is left cordoned: kubectl uncordon, or remove it with --force'
exit 1"""
_DELETE = "{drain} --timeout=60s --force --disable-eviction --grace-period=1"


def drain(name: str, server: str, deadline: timedelta, *, force: bool) -> Action:
    """Evict the node's pods; within the deadline, or, with `force`, by deleting what is left then.

    Pods of DaemonSets stay, emptyDirs go with the host. Without `force` a pod that nobody would start again
    elsewhere stops the drain.
    """
    kubectl = waits.kubectl(paths.ADMIN_CONF, server)
    command = f"{kubectl} drain {shlex.quote(name)} --ignore-daemonsets --delete-emptydir-data"
    otherwise = (
        _DELETE.format(drain=command) if force else _GIVE_UP.format(kubectl=kubectl, name=shlex.quote(name))
    )
    seconds = int(deadline.total_seconds())
    return RunScript(
        f"drain {name} (at most {seconds} s)",
        _DRAIN.format(drain=command, seconds=seconds, forced="--force" if force else "", otherwise=otherwise),
        reason="its pods are evicted, as their disruption budgets allow",
        timeout=deadline + 2 * AFTER_DEADLINE,
    )


def leave_etcd(member: Member, etcdctl: str, health: Sequence[str]) -> list[Action]:
    """Take a member out and see that the others go on.

    `etcdctl` is a command line without its words, `health` are commands that each ask one of them: the etcd
    that has left ends, and with it the etcdctl that it lent.
    """
    name = member.name or member.id
    asked = "\n".join(f'{ask} || {{ echo "etcd is not well: $(kpy_last)"; return 1; }}' for ask in health)
    return [
        RunScript(
            f"remove etcd member {name}",
            f"{etcdctl} member remove {shlex.quote(member.id)}",
            reason="one change at a time, in an order that keeps the quorum",
        ),
        Wait(
            "wait for etcd to agree again",
            asked,
            HEALTH_DEADLINE,
            interval=0.5,
            logs=("etcd",),
        ),
    ]


def forget(names: list[str], server: str) -> Action:
    """Delete Node objects, and with them what is left of their pods."""
    kubectl = waits.kubectl(paths.ADMIN_CONF, server)
    return RunScript(
        f"delete {'Node' if len(names) == 1 else 'Nodes'} {', '.join(names)}",
        f"{kubectl} delete node --ignore-not-found {shlex.join(names)}",
        reason="they are no part of the cluster any more",
    )


def forget_itself(name: str, kubeconfig: str, timeout: timedelta) -> Action:
    """Delete a host's own Node from there; where that fails it says so, for the host goes in any case."""
    seconds = max(1, int(timeout.total_seconds()))
    command = (
        f"kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {shlex.quote(kubeconfig)}"
        f" --request-timeout {seconds}s delete node --ignore-not-found --wait=false {shlex.quote(name)}"
    )
    still = f"the Node object {name} may still be there; on a control plane: kubectl delete node {name}"
    return RunScript(
        f"delete Node {name}",
        # Its kubelet must not report meanwhile.
        f"""systemctl stop kubelet.service 2>/dev/null || true
if ! {command}; then
  kpy_warn {shlex.quote(still)}
fi""",
        reason="it is no part of the cluster any more",
    )
