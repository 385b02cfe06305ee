"""Ask a control plane what the cluster has of the objects that we apply, and where it differs from ours."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubeadm_py.addons.inventory import Ref
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import asking, kubectl, objects
from kubeadm_py.kube.asking import NOTHING, Said
from kubeadm_py.kube.objects import LiveAddons
from kubeadm_py.kube.signing_requests import pending
from kubeadm_py.model import live, paths
from kubeadm_py.model.live import LiveObjects, Object
from kubeadm_py.plan.live import membership

FIELD_MANAGER = "kubeadm-py"
_TIMEOUT_SECONDS = 60.0
_OBJECTS = "objects"
_FROM_INPUT = ("-o", "json", "-f", "-")


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what a cluster has of our objects, and what else it was asked in the same round trip."""

    objects: LiveObjects
    addons: LiveAddons | None
    """What it says of its add-ons, where that was asked."""
    listed: Sequence[Object] = ()
    """Its nodes, signing requests and the ConfigMaps of kube-system."""
    said: Mapping[str, Said] = field(default_factory=dict)
    """What it said to other questions."""


def look(
    session: Session,
    wanted: Sequence[Object],
    nodes: Iterable[str],
    changed: Container[str] = (),
    *,
    of_addons: Sequence[Ref] | None = None,
    also: Mapping[str, str] | None = None,
) -> Answer | None:
    """Return what there is of `wanted` and of the nodes; None where the API does not answer.

    One round trip where all is as we want it. What may differ, and what is `changed` (by key) since it was
    applied last, is asked about once more: the API server says what a server-side apply of ours would make of
    it, which no comparison of ours knows better. `of_addons` are the objects of add-ons; None asks nothing of
    add-ons. `also` are more questions, by name, for asking.script.
    """
    stubs = [live.stub(item) for item in wanted]
    known = {live.key(stub) for stub in stubs}
    stubs += [ref.stub for ref in of_addons or () if live.key(ref.stub) not in known]
    asked = {
        _OBJECTS: _kubectl(session, ["get", "--ignore-not-found", "--show-managed-fields", *_FROM_INPUT]),
        # All at once: one by one, a hundred nodes are a hundred questions to the API server.
        membership.LISTED: _kubectl(session, membership.LISTING),
    }
    said = _asked(session, {**asked, **(also or {})}, stubs)
    there = _printed(said.get(_OBJECTS, NOTHING))
    listed = said.get(membership.LISTED, NOTHING).items
    if there is None or not listed:
        return None
    wanted_nodes = {f"Node {name}" for name in nodes}
    there |= {live.key(item): item for item in listed if live.key(item) in wanted_nodes}
    addons = None
    if of_addons is not None:
        gone = frozenset(ref for ref in of_addons if live.key(ref.stub) not in there)
        addons = LiveAddons(objects.inventories(listed), gone, tuple(pending(listed)))
    return Answer(_judged(session, wanted, there, changed), addons, listed, said)


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
    dry_run = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=false",
        *_FROM_INPUT,
    ]
    question = {_OBJECTS: _kubectl(session, [*dry_run, "--field-manager", FIELD_MANAGER])}
    asked = [_scaled(item, there[live.key(item)]) for item in suspects]
    would_be = _printed(_asked(session, question, asked).get(_OBJECTS, NOTHING))
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


def _asked(session: Session, questions: Mapping[str, str], items: Sequence[Object]) -> dict[str, Said]:
    """Return what the host says to these questions, of which the one about objects reads `items`."""
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    script = f"# ask for the cluster's objects\n{asking.script(questions, reading=_OBJECTS)}"
    try:
        result = session.host.run(script, stdin=content, timeout=_TIMEOUT_SECONDS)
    except (KubeadmPyError, OSError):
        return {}
    return asking.answers(result.stdout)


def _kubectl(session: Session, words: Sequence[str]) -> str:
    return kubectl.command([words[0], "--server", f"https://{session.node.local_endpoint}", *words[1:]])


def _printed(said: Said) -> dict[str, Object] | None:
    """Return the objects that kubectl printed, by key; None where it failed and printed none.

    An object's error (its kind is gone) hides no other.
    """
    document = said.document
    if not document:
        return {} if said.ok and not said.output.strip() else None
    return {live.key(item): item for item in document.get("items", [document])}


def can_ask(session: Session) -> bool:
    """Say whether the host can ask: it has an administrator's kubeconfig."""
    return paths.ADMIN_CONF in session.facts.files
