"""Ask a control plane what the cluster has of the objects that we apply, and where it differs from ours."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.addons.inventory import Ref
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl, objects
from kubeadm_py.kube.objects import LiveAddons
from kubeadm_py.kube.signing_requests import QUESTION, pending
from kubeadm_py.model import live, paths
from kubeadm_py.model.live import LiveObjects, Object

FIELD_MANAGER = "kubeadm-py"
_TIMEOUT_SECONDS = 60.0
_LIST = "##kubeadm-py add-ons"


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what a cluster has of our objects, and what it says of its add-ons where that was asked."""

    objects: LiveObjects
    addons: LiveAddons | None


def look(
    session: Session,
    wanted: Sequence[Object],
    nodes: Iterable[str],
    changed: Container[str] = (),
    *,
    of_addons: Sequence[Ref] | None = None,
) -> Answer | None:
    """Return what there is of `wanted` and of the nodes; None where the API does not answer.

    One round trip where all is as we want it. What may differ, and what is `changed` (by key) since it was
    applied last, is asked about once more: the API server says what a server-side apply of ours would make of
    it, which no comparison of ours knows better. `of_addons` are the objects of add-ons; None asks nothing of
    add-ons.
    """
    stubs = [*map(_stub, wanted), *(_node(name) for name in nodes)]
    known = {live.key(stub) for stub in stubs}
    stubs += [ref.stub for ref in of_addons or () if live.key(ref.stub) not in known]
    words = ["get", "--ignore-not-found", "--show-managed-fields", "-o", "json"]
    there, listed = _asked(session, words, stubs, and_list=of_addons is not None)
    if there is None:
        return None
    addons = None
    if of_addons is not None:
        gone = frozenset(ref for ref in of_addons if live.key(ref.stub) not in there)
        inventories, _, requests = listed.partition(objects.REQUESTS)
        addons = LiveAddons(objects.inventories(inventories), gone, tuple(pending(requests)))
    return Answer(_judged(session, wanted, there, changed), addons)


def _judged(
    session: Session, wanted: Sequence[Object], there: Mapping[str, Object], changed: Container[str]
) -> LiveObjects:
    missing = frozenset(live.key(item) for item in wanted if live.key(item) not in there)
    suspects = [
        item
        for item in wanted
        if live.key(item) in there and (live.key(item) in changed or _may_differ(item, there))
    ]
    if not suspects:
        return LiveObjects(there, {}, missing)
    dry_run = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "json"]
    asked = [_scaled(item, there[live.key(item)]) for item in suspects]
    would_be, _ = _asked(session, [*dry_run, "--field-manager", FIELD_MANAGER], asked)
    if would_be is None:
        would_be = {live.key(item): {**there[live.key(item)], **item} for item in suspects}
    merged = {
        name: item for name, item in would_be.items() if name in there and not live.same(item, there[name])
    }
    return LiveObjects(there, merged, missing)


def _may_differ(item: Object, there: Mapping[str, Object]) -> bool:
    return live.lacks(
        {name: value for name, value in item.items() if name != "status"}, there[live.key(item)]
    )


def _scaled(item: Object, there: Object) -> Object:
    """Return a workload that says no number of replicas with the one that it has."""
    spec, replicas = item.get("spec"), (there.get("spec") or {}).get("replicas")
    if (
        item["kind"] != "Deployment"
        or not isinstance(spec, Mapping)
        or "replicas" in spec
        or replicas is None
    ):
        return item
    return {**item, "spec": {**spec, "replicas": replicas}}


def _stub(item: Object) -> Object:
    metadata = item.get("metadata") or {}
    kept = {name: metadata[name] for name in ("name", "namespace") if metadata.get(name)}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept}


def _node(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def _asked(
    session: Session, words: Sequence[str], items: Sequence[Object], *, and_list: bool = False
) -> tuple[dict[str, Object] | None, str]:
    """Return the objects that kubectl prints, by key, and its list of add-ons; None where it prints none."""
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    # An object's error (its kind is gone) hides no other: what was found is printed all the same.
    server = ["--server", f"https://{session.node.local_endpoint}"]
    listing = "; ".join(
        f"echo; echo '{mark}'; {kubectl.command([*question, *server])} </dev/null"
        for mark, question in ((_LIST, objects.LISTING), (objects.REQUESTS, QUESTION))
    )
    script = f"""# ask for the cluster's objects
umask 077
{kubectl.command([words[0], *server, *words[1:], "-f", "-"])}
kpy_code=$?
{listing if and_list else ":"}
exit $kpy_code
"""
    try:
        result = session.host.run(script, stdin=content, timeout=_TIMEOUT_SECONDS)
        text, _, listed = result.stdout.decode(errors="replace").partition(_LIST)
        document: Any = json.loads(text) if text.strip() else None
    except (KubeadmPyError, OSError, ValueError):
        return None, ""
    if not isinstance(document, dict):
        return ({} if result.ok else None), listed
    found = document.get("items", [document])
    return {live.key(item): item for item in found}, listed


def can_ask(session: Session) -> bool:
    """Say whether the host can ask: it has an administrator's kubeconfig."""
    return paths.ADMIN_CONF in session.facts.files
