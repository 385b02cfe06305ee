"""Ask a control plane about API objects, in one round trip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.addons import inventory
from kubeadm_py.addons.inventory import Inventory, Ref
from kubeadm_py.kube import kubectl
from kubeadm_py.kube.signing_requests import QUESTION, listed, pending
from kubeadm_py.model import paths
from kubeadm_py.transport.base import Host

_REQUESTS = "##kubeadm-py requests"
_PRESENT = "##kubeadm-py present"
_LISTING = ("get", "configmaps", "-n", inventory.NAMESPACE, "-l", inventory.SELECTOR, "-o", "json")
"""What kubectl is to list: the inventories of all add-ons."""
_COLUMNS = "V:.apiVersion,K:.kind,N:.metadata.namespace,M:.metadata.name"


@dataclass(frozen=True, slots=True)
class LiveAddons:
    """Hold what a cluster says of its add-ons."""

    installed: Mapping[str, Inventory]
    """By the add-on's name."""
    missing: frozenset[Ref]
    """Of the objects that were asked for, those that are not there."""
    requests: tuple[Mapping[str, Any], ...] = ()
    """What kubelets ask to serve with and nobody has judged."""


def addons(host: Host, wanted: Sequence[Ref], kubeconfig: str = paths.ADMIN_CONF) -> LiveAddons | None:
    """Return the inventories of a cluster's add-ons, and which objects are missing; None: nobody answers."""
    looking = ["get", "-f", "-", "--ignore-not-found", "--no-headers", "-o", f"custom-columns={_COLUMNS}"]
    stubs = {"apiVersion": "v1", "kind": "List", "items": [ref.stub for ref in wanted]}
    # Objects of a type that is not there yet fail the second question; they are missing like others.
    present = f"({kubectl.command(looking, kubeconfig)} || :)" if wanted else ":"
    script = (
        f"# ask about add-ons\n{kubectl.command(_LISTING, kubeconfig)} </dev/null || exit 1\n"
        f"echo; echo '{_REQUESTS}'\n({kubectl.command(QUESTION, kubeconfig)} </dev/null || :)\n"
        f"echo; echo '{_PRESENT}'\n{present}"
    )
    result = host.run(script, stdin=json.dumps(stubs).encode(), timeout=kubectl.TIMEOUT_SECONDS)
    if not result.ok:
        return None
    answered, _, rows = result.stdout.decode(errors="replace").partition(_PRESENT)
    listing, _, requests = answered.partition(_REQUESTS)
    there = {_row(line) for line in rows.splitlines() if line.strip()}
    missing = frozenset(ref for ref in wanted if ref not in there)
    return LiveAddons(inventories(listed(listing)), missing, tuple(pending(listed(requests))))


def inventories(items: Iterable[Mapping[str, Any]]) -> dict[str, Inventory]:
    """Return the inventories among a cluster's objects, by the add-on's name."""
    read = (inventory.parse(item) for item in items if inventory.is_one(item))
    return {each.name: each for each in read if each is not None}


def _row(line: str) -> Ref:
    version, kind, namespace, name, *_ = [*line.split(), "", "", "", ""]
    return Ref(version, kind, "" if namespace == "<none>" else namespace, name)
