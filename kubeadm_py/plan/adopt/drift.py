"""Find what of the drift a config can say: flags, settings of kubelet and kube-proxy, labels and taints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.adoption import NO_FIELD, Adoption, Found, Left
from kubeadm_py.model.changes import Change, Sign
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.adopt.files import agree, take_file
from kubeadm_py.plan.adopt.objects import take_config_maps, take_dns, take_nodes
from kubeadm_py.plan.show import changes as show
from kubeadm_py.plan.show import files as file_changes
from kubeadm_py.plan.show.before import Before


def adoption(
    plan: Plan,
    before: Mapping[str, Before],
    cluster: ResolvedCluster,
    live: LiveObjects | None,
    leader: str,
    chosen: Sequence[str] = (),
) -> Adoption:
    """Return what the config can take over of all that was changed by hand.

    What all hosts of a kind share must be the same on all of them, or on those that are `chosen`: the others
    follow with the next apply.
    """
    found = Found()
    handled: set[str] = set()
    for host, action in plan.actions():
        known = before.get(host)
        if known is None or (chosen and host not in chosen):
            continue
        if isinstance(action, WriteFiles):
            for spec in action.files:
                if file_changes.drift(spec, known) and take_file(found, spec, host, known):
                    handled.add(spec.path)
    agree(found, cluster, before.keys(), chosen)
    if not chosen or leader in chosen:
        handled |= set(take_config_maps(found, plan, cluster, live))
        handled |= set(take_dns(found, cluster, live))
    handled |= set(take_nodes(found, cluster, live, before.get(leader), chosen))
    told = show.tell(plan, before)
    hosts = [host for host in told.hosts if not chosen or host.host in chosen]
    asked = told.objects if not chosen or leader in chosen else ()
    for change in (*(each for host in hosts for each in host.changes), *asked):
        if change.sign is Sign.DRIFT and change.subject not in handled and change.kind != "node":
            found.left.append(Left(change.subject, _reason(change)))
    return Adoption(tuple(found.settings), tuple(dict.fromkeys(found.left)))


def _reason(change: Change) -> str:
    return NO_FIELD if change.kind != "unit" else "a unit's state is no setting"
