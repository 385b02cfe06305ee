"""Take add-ons out of the cluster, by what their inventories list and nothing else."""

from __future__ import annotations

from datetime import timedelta

from kubeadm_py.addons import inventory
from kubeadm_py.addons.inventory import Inventory, Ref
from kubeadm_py.addons.shape import LABEL
from kubeadm_py.model.actions import Action, ApplyObjects, Remove, RunScript
from kubeadm_py.steps import waits
from kubeadm_py.steps.addons.custom_resources import custom_resources_marker, deletion
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig
from kubeadm_py.steps.objects.groups import addon_phase, marker_path

REMOVED = "removed"
"""The version in the inventory of an add-on of which only what people's data hangs on is left."""
_PATIENCE = timedelta(minutes=1)


def plan(ctx: StepContext) -> list[Action]:
    """Delete what the add-ons that are to go have brought."""
    return [action for each in ctx.removing for action in removal(each, ctx, purge=ctx.purge)]


def removal(each: Inventory, ctx: StepContext, *, purge: bool) -> list[Action]:
    """Return the actions that take out one add-on; without `purge` namespaces, types and claims stay.

    What stays remains listed, so that a later purge finds it.
    """
    kubeconfig, server = admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}"
    gone, stays = inventory.removable(each.surplus(()), purge=purge)
    actions = deletion(each.name, gone, kubeconfig, server)
    if purge:
        # Types that were fetched are known by their label alone.
        command = waits.kubectl(kubeconfig, server)
        actions.append(
            RunScript(
                f"delete the types of {each.name}",
                f"{command} delete crd -l {LABEL}={each.name} --ignore-not-found",
                reason="--purge",
            )
        )
    if stays:
        left = Inventory(each.name, REMOVED, "", "", tuple(reversed(stays)))
        note = inventory.config_map(left)
        actions.append(
            ApplyObjects(
                f"note what stays of {each.name}",
                (note,),
                server=server,
                kubeconfig=kubeconfig,
                reason=", ".join(map(str, stays)),
                patience=_PATIENCE,
            )
        )
    else:
        own = Ref("v1", "ConfigMap", inventory.NAMESPACE, inventory.config_map_name(each.name))
        actions += deletion(f"the note of {each.name}", [own], kubeconfig, server)
    markers = (marker_path(addon_phase(each.name)), custom_resources_marker(each.name))
    known = tuple(path for path in markers if path in ctx.facts.files)
    return [*actions, Remove(known, reason=f"{each.name} is gone")] if known else actions


def staying(each: Inventory, *, purge: bool) -> tuple[Ref, ...]:
    """List what of an add-on stays because people's data hangs on it."""
    return inventory.removable(each.surplus(()), purge=purge)[1]


STEP = Step("addon-removal", "add-ons that go", plan, leader=True)
