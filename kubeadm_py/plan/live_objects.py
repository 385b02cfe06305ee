"""Ask a control plane what the cluster has of the objects that we apply, and where it differs from ours."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl
from kubeadm_py.model import live, paths
from kubeadm_py.model.live import LiveObjects, Object

FIELD_MANAGER = "kubeadm-py"
_TIMEOUT_SECONDS = 60.0


def look(
    session: Session, wanted: Sequence[Object], nodes: Iterable[str], changed: Container[str] = ()
) -> LiveObjects | None:
    """Return what there is of `wanted` and of the nodes; None where the API does not answer.

    One round trip where all is as we want it. What may differ, and what is `changed` (by key) since it was
    applied last, is asked about once more: the API server says what a server-side apply of ours would make of
    it, which no comparison of ours knows better.
    """
    stubs = [*map(_stub, wanted), *(_node(name) for name in nodes)]
    there = _asked(session, ["get", "--ignore-not-found", "--show-managed-fields", "-o", "json"], stubs)
    if there is None:
        return None
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
    would_be = _asked(session, [*dry_run, "--field-manager", FIELD_MANAGER], asked)
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


def _asked(session: Session, words: Sequence[str], items: Sequence[Object]) -> dict[str, Object] | None:
    """Return the objects that kubectl prints, by key; None where it prints none."""
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    # An object's error (its kind is gone) hides no other: what was found is printed all the same.
    script = f"""# ask for the cluster's objects
umask 077
{kubectl.command([words[0], "--server", f"https://{session.node.local_endpoint}", *words[1:], "-f", "-"])}
"""
    try:
        result = session.host.run(script, stdin=content, timeout=_TIMEOUT_SECONDS)
        document: Any = json.loads(result.stdout) if result.stdout.strip() else None
    except (KubeadmPyError, OSError, ValueError):
        return None
    if not isinstance(document, dict):
        return {} if result.ok else None
    found = document.get("items", [document])
    return {live.key(item): item for item in found}


def can_ask(session: Session) -> bool:
    """Say whether the host can ask: it has an administrator's kubeconfig and its API server listens."""
    listens = any(listener.port == session.node.bind_port for listener in session.facts.listeners)
    return listens and paths.ADMIN_CONF in session.facts.files
