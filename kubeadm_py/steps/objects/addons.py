"""Say what of each add-on is applied when: its types first, then its workloads, then its custom resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kubeadm_py.addons import inventory, stages
from kubeadm_py.addons import load as addons
from kubeadm_py.addons.inventory import Inventory, Ref
from kubeadm_py.addons.load import ResolvedAddon
from kubeadm_py.addons.shape import LABEL
from kubeadm_py.addons.stages import Stages
from kubeadm_py.model.actions import Late, Wait
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import StepContext

TYPES_PRODUCER = "remote-types"
"""Its Late.args is (the add-on's name, path or URL of the CustomResourceDefinitions)."""
_ESTABLISHED = timedelta(minutes=2)
_ENDPOINTS = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class AddonObjects:
    """Hold what one add-on brings to the cluster."""

    item: ResolvedAddon
    staged: Stages
    wanted: Inventory
    """What the cluster is to know of it in the end."""
    installed: Inventory | None
    """What the cluster knows of it now, as far as anybody has asked."""

    @property
    def types(self) -> tuple[Mapping[str, Any] | Late, ...]:
        """Return its CustomResourceDefinitions; those of others are fetched when they are applied."""
        fetched = (
            Late(TYPES_PRODUCER, {"CustomResourceDefinitions": where}, (self.item.name, where))
            for _, where in self.item.remote_types
        )
        return (*fetched, *self.staged.types)

    @property
    def kept(self) -> Inventory:
        """Return the inventory that goes ahead of the objects: what is to be taken out stays listed in it."""
        surplus = self.installed.surplus(self.wanted.objects) if self.installed else ()
        return replace(self.wanted, objects=(*reversed(surplus), *self.wanted.objects))

    @property
    def inventory(self) -> Mapping[str, Any]:
        """Return the object that the add-on's objects follow: a run that is cut off leaves it complete."""
        return inventory.config_map(self.kept)

    @property
    def surplus(self) -> tuple[Ref, ...]:
        """List what an earlier form of it brought and this one does not, in the order of deletion."""
        return self.installed.surplus(self.wanted.objects) if self.installed else ()


def of(ctx: StepContext) -> list[AddonObjects]:
    """Return what the context's add-ons bring, in their order."""
    listed = []
    for item in ctx.addons:
        staged = addons.render_one(item, ctx.cluster)
        known = (ctx.installed or {}).get(item.name)
        listed.append(AddonObjects(item, staged, addons.inventory_of(item, staged), known))
    return listed


def is_known(each: AddonObjects, ctx: StepContext) -> bool:
    """Say whether the cluster itself has this form of the add-on whole; nobody having asked, it may."""
    if ctx.installed is None:
        return True
    return (
        each.installed is not None
        and each.installed.manifests == each.wanted.manifests
        and not any(ref in ctx.missing for ref in each.wanted.objects)
    )


def types_established(names: Sequence[str], kubeconfig: str, server: str) -> Wait:
    """Wait until the API serves the types that add-ons bring."""
    command = waits.kubectl(kubeconfig, server)
    selector = f"{LABEL} in ({','.join(names)})"
    return Wait(
        f"wait for the types of {', '.join(names)}",
        f"""answer=$({command} wait --for=condition=Established crd -l '{selector}' --timeout=3s 2>&1) \
  && return 0
echo "types are not served yet: $(kpy_last)"
return 1""",
        _ESTABLISHED,
        look="kubectl get crd; kubectl describe crd NAME",
    )


def webhooks_answer(each: AddonObjects, kubeconfig: str, server: str) -> Wait | None:
    """Wait until what judges the add-on's custom resources has endpoints; None where nothing does.

    A Deployment that is Available is not enough: the service may not know its pods yet.
    """
    services = stages.webhook_services((*each.staged.types, *each.staged.workloads))
    if not services:
        return None
    command = waits.kubectl(kubeconfig, server)
    wanted = "\n".join(f"{namespace} {name}" for namespace, name in services)
    until = f"""while read -r namespace name; do
  answer=$({command} get endpointslices -n "$namespace" -l "kubernetes.io/service-name=$name" \\
    -o 'jsonpath={{range .items[*].endpoints[?(@.conditions.ready==true)]}}{{.addresses[0]}} {{end}}' 2>&1) \\
    || {{ kpy_last; return 1; }}
  [ -n "$answer" ] || {{ echo "service $namespace/$name has no endpoint yet"; return 1; }}
done <<'KPY_WANTED'
{wanted}
KPY_WANTED
return 0"""
    namespace, name = services[0]
    return Wait(
        f"wait for the webhooks of {each.item.name}",
        until,
        _ENDPOINTS,
        interval=0.5,
        diagnose=f"{command} get pods -n {namespace} -o wide 2>&1 | cut -c 1-200",
        look=f"kubectl get pods,endpointslices -n {namespace}; service {name}",
    )
