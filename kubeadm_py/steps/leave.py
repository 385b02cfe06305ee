"""Build what a control plane does for hosts that leave the cluster."""

from __future__ import annotations

import shlex
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


def leave_etcd(member: Member, etcdctl: str) -> list[Action]:
    """Take a member out and see that the others go on; `etcdctl` is a command line without its words."""
    name = member.name or member.id
    return [
        RunScript(
            f"remove etcd member {name}",
            f"{etcdctl} member remove {shlex.quote(member.id)}",
            reason="one change at a time, in an order that keeps the quorum",
        ),
        Wait(
            "wait for etcd to agree again",
            f"""answer=$({etcdctl} endpoint health 2>&1) && return 0
kpy_last
return 1""",
            HEALTH_DEADLINE,
            interval=0.5,
            look="crictl ps -a --name etcd; crictl logs $(crictl ps -q --name etcd)",
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
