"""Ask the leading control plane once which add-ons its cluster has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.inventory import Inventory, Ref, removable
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.addons.schema import POD_NETWORK
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import UsageError
from kubeadm_py.kube import objects
from kubeadm_py.kube.objects import LiveAddons
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.plan.run import Run
from kubeadm_py.steps.addons.removal import REMOVED
from kubeadm_py.steps.objects.groups import addon_phase, marker_path

_MARKERS = marker_path(addon_phase(""))


def ask(cluster: ResolvedCluster, leader: Session, wanted: Sequence[ResolvedAddon]) -> LiveAddons | None:
    """Return what the cluster says of its add-ons; None where it has none to say anything of.

    One round trip, and none where the file has no add-ons and the host has noted none.
    """
    refs = asked_for(cluster, leader, wanted)
    return None if refs is None else objects.addons(leader.host, refs, paths.ADMIN_CONF)


def asked_for(cluster: ResolvedCluster, leader: Session, wanted: Sequence[ResolvedAddon]) -> list[Ref] | None:
    """Return the objects of add-ons to ask for; None where there is nothing to ask."""
    if not wanted and not any(path.startswith(_MARKERS) for path in leader.facts.files):
        return None
    return [
        ref for item in wanted for ref in addons.inventory_of(item, addons.render_one(item, cluster)).objects
    ]


def tell(run: Run, wanted: Sequence[ResolvedAddon]) -> None:
    """Tell the notices of legacy add-ons."""
    for notice in addons.notices(wanted):
        run.warn(notice)


def refuse_another_network(
    live: LiveAddons | None, wanted: Sequence[ResolvedAddon], *, prune: bool = False
) -> None:
    """Raise UsageError where the cluster's pod network is not the file's.

    Pods keep the addresses of the network that they were started with, and nodes what it left in the
    kernel: two networks at once reach each other by luck. With `prune` a file without one is refused, too.
    """
    if live is None:
        return
    running = [name for name, each in live.installed.items() if addons.is_pod_network(each)]
    other = [item.name for item in wanted if POD_NETWORK in item.addon.provides]
    gone = [name for name in running if name not in other]
    if not gone or not (other or prune):
        return
    new = f"cannot become {other[0]}" if other else "cannot be taken out"
    raise UsageError(
        f"the pod network of this cluster is {gone[0]} and {new} while it runs: pods keep the addresses and "
        "routes of the network that they were started with",
        fix=f"keep {gone[0]} in spec.addons; to change the network, make the cluster anew: reset, then apply",
    )


def dropped(live: LiveAddons | None, wanted: Sequence[ResolvedAddon]) -> Mapping[str, Inventory]:
    """Return the add-ons that the cluster has and the file names no more."""
    if live is None:
        return {}
    names = {item.name for item in wanted}
    return {
        name: each
        for name, each in live.installed.items()
        if name not in names and (each.version != REMOVED or removable(each.objects)[0])
    }
