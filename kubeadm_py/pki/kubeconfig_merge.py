"""Merge our context into an operator's kubeconfig without touching what others put there."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import yaml

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.pki import kubeconfig, pem

_LISTS = ("clusters", "contexts", "users")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replace text[start:end]."""

    start: int
    end: int
    text: str


def merge(
    existing: bytes,
    ours: bytes,
    context_name: str,
    *,
    make_current: bool = True,
    replace: bool = False,
    what: str = "the existing kubeconfig",
) -> bytes:
    """Return `existing` with the current context of `ours` in it as `context_name`.

    Of `USER@CLUSTER` our cluster entry is called CLUSTER; our user entry bears the whole name, since every
    kubeadm cluster has a `kubernetes-admin`. A name without `@` is that of all three. Comments and
    formatting of foreign entries stay where the file is in block style. An entry of these names that
    belongs to a cluster with another CA is refused unless `replace`. An empty `existing` stands for a
    missing file.
    """
    additions = _own_entries(ours, context_name)
    if not existing.strip():
        return _rewrite({}, additions, context_name)
    document = kubeconfig.load(existing, what)
    if not replace:
        _refuse_foreign(document, additions, what)
    before = kubeconfig.entry(document, "contexts", context_name)
    if before is not None:  # what the operator set on our context (a namespace) stays
        additions["contexts"]["context"] = before["context"] | additions["contexts"]["context"]
    current = context_name if make_current or not document.get("current-context") else ""
    wanted = _merged(document, additions, current)
    edited = _edit(existing.decode(), additions, current)
    if edited is not None and _same(edited, wanted):
        return edited.encode()
    return kubeconfig.dump(wanted)


def _own_entries(ours: bytes, context_name: str) -> dict[str, dict[str, Any]]:
    cluster_name = context_name.rpartition("@")[2]
    if not cluster_name:
        raise KubeadmPyError(
            f"{context_name!r} is not a context name", fix="Give one of the form USER@CLUSTER."
        )
    document = kubeconfig.load(ours, "the cluster's kubeconfig")
    context = kubeconfig.entry(document, "contexts", document.get("current-context") or "")
    inner = dict(context["context"]) if context else {}
    cluster = kubeconfig.entry(document, "clusters", inner.get("cluster", ""))
    user = kubeconfig.entry(document, "users", inner.get("user", ""))
    if cluster is None or user is None:
        raise KubeadmPyError("the cluster's kubeconfig has no current context with a cluster and a user")
    inner |= {"cluster": cluster_name, "user": context_name}
    return {
        "clusters": {"cluster": cluster["cluster"], "name": cluster_name},
        "contexts": {"context": inner, "name": context_name},
        "users": {"name": context_name, "user": user["user"]},
    }


def _refuse_foreign(document: dict[str, Any], additions: dict[str, dict[str, Any]], what: str) -> None:
    """Refuse to overwrite entries of our names unless they lead to a cluster with our CA."""
    cluster_name, context_name = additions["clusters"]["name"], additions["contexts"]["name"]
    ours = _ca_hashes(additions["clusters"]["cluster"])
    present = kubeconfig.entry(document, "clusters", cluster_name)
    if present is not None and not ours & _ca_hashes(present["cluster"]):
        raise _taken("cluster", cluster_name, what)
    for context in document["contexts"]:
        mentions = context["name"] == context_name or context["context"].get("user") == context_name
        leads_to = kubeconfig.entry(document, "clusters", str(context["context"].get("cluster", "")))
        if mentions and (leads_to is None or not ours & _ca_hashes(leads_to["cluster"])):
            raise _taken("context", context["name"], what)
    unclaimed = not any(context["context"].get("user") == context_name for context in document["contexts"])
    if unclaimed and kubeconfig.entry(document, "users", context_name) is not None:
        raise _taken("user", context_name, what)


def _taken(kind: str, name: str, what: str) -> KubeadmPyError:
    return KubeadmPyError(
        f"{what} already has a {kind} named {name!r} that belongs to another cluster",
        fix=f"To replace it add --yes, or remove it first: kubectl config delete-{kind} {name}; to keep both"
        " give this cluster another metadata.name.",
    )


def _ca_hashes(cluster: dict[str, Any]) -> set[str]:
    try:
        ca_pem = kubeconfig.decoded(cluster.get("certificate-authority-data"), "CA", "")
        return set(pem.public_key_hashes(ca_pem))
    except KubeadmPyError:
        return set()


def _merged(document: dict[str, Any], additions: dict[str, dict[str, Any]], current: str) -> dict[str, Any]:
    merged = copy.deepcopy(document)
    for key in _LISTS:
        entries: list[dict[str, Any]] = merged[key]
        names = [each["name"] for each in entries]
        if additions[key]["name"] in names:
            entries[names.index(additions[key]["name"])] = additions[key]
        else:
            entries.append(additions[key])
    merged.setdefault("apiVersion", "v1")
    merged.setdefault("kind", "Config")
    if current:
        merged["current-context"] = current
    return merged


def _rewrite(document: dict[str, Any], additions: dict[str, dict[str, Any]], current: str) -> bytes:
    return kubeconfig.dump(_merged({key: [] for key in _LISTS} | document, additions, current))


def _same(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return kubeconfig.load(text, "the merged kubeconfig") == wanted
    except KubeadmPyError:
        return False


def _edit(text: str, additions: dict[str, dict[str, Any]], current: str) -> str | None:
    """Return the text with our entries spliced in; None where its style does not allow that."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    nodes = {key.value: value for key, value in root.value}
    edits = []
    for key in _LISTS:
        edit = _entry_edit(text, nodes.get(key), additions[key])
        if edit is None:
            return None
        edits.append(edit)
    if current:
        node = nodes.get("current-context")
        if node is None:
            return None
        edits.append(_Edit(node.start_mark.index, node.end_mark.index, _scalar(current)))
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _entry_edit(text: str, node: yaml.Node | None, entry: dict[str, Any]) -> _Edit | None:
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        return None
    # A block sequence's mark is its first dash; an item's mark is the item's first key.
    indent = node.start_mark.column
    for item in node.value:
        fields = {key.value: value.value for key, value in item.value}
        if fields.get("name") == entry["name"]:
            dash = text.rfind("-", 0, item.start_mark.index)
            return _Edit(dash, _content_end(text, item), _block(entry, indent).lstrip(" "))
    end = _content_end(text, node.value[-1])
    return _Edit(end, end, "\n" + _block(entry, indent))


def _content_end(text: str, node: yaml.Node) -> int:
    """Return where the node's last line with content ends; PyYAML's end mark lies before the next token."""
    deepest = node
    while isinstance(deepest, yaml.CollectionNode) and deepest.value and not deepest.flow_style:
        last = deepest.value[-1]
        deepest = last[1] if isinstance(last, tuple) else last
    end = text.find("\n", deepest.end_mark.index)
    if isinstance(deepest, yaml.ScalarNode) and deepest.style in ("|", ">"):
        end = deepest.end_mark.index - 1
    return len(text) if end < 0 else end


def _block(entry: dict[str, Any], indent: int) -> str:
    lines = kubeconfig.dump({"entries": [entry]}).decode().splitlines()[1:]
    return "\n".join(" " * indent + line for line in lines)


def _scalar(value: str) -> str:
    return yaml.safe_dump(value, width=1 << 30).removesuffix("...\n").strip()
