"""Generate configs: any of kubeadm's fields, with values that are good, odd or wrong (values.yaml).

A config has few fields, so that one wrong value does not hide the others.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

VALUES = Path(__file__).parent / "values.yaml"
KUBEADM = "kubeadm.k8s.io/v1beta4"
API = {
    "KubeletConfiguration": "kubelet.config.k8s.io/v1beta1",
    "KubeProxyConfiguration": "kubeproxy.config.k8s.io/v1alpha1",
}
VERSION = {"kubernetesVersion": "v1.36.3"}
"""Without it kubeadm would ask the network for one."""
TOKEN = {"token": "abcdef.0123456789abcdef"}
DISCOVERY = {
    "bootstrapToken": TOKEN | {"apiServerEndpoint": "10.99.0.11:6443", "unsafeSkipCAVerification": True}
}
ALWAYS: dict[str, dict[str, Any]] = {
    "ClusterConfiguration": VERSION,
    "JoinConfiguration": {"discovery": DISCOVERY},
}
ALONE = ("JoinConfiguration", "ResetConfiguration")
FOR_INIT = ("InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration")
MOST_FIELDS = 5
Document = dict[str, Any]


@functools.cache
def pools() -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return the values by kind, field and goodness."""
    found: dict[str, dict[str, dict[str, list[Any]]]] = yaml.safe_load(VALUES.read_text())
    return found


def document(kind: str) -> Document:
    """Return the least that a document of the kind says."""
    return {"apiVersion": API.get(kind, KUBEADM), "kind": kind, **copy.deepcopy(ALWAYS.get(kind, {}))}


def put(target: Document, path: str, value: Any) -> None:
    """Set the field at a dotted path; the value is copied."""
    *above, last = path.split(".")
    for key in above:
        target = target.setdefault(key, {})
    target[last] = copy.deepcopy(value)


def dump(documents: list[Document]) -> str:
    """Write documents as one stream."""
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)


def fields() -> list[str]:
    """List the fields as `Kind.path`."""
    return [f"{kind}.{path}" for kind, found in pools().items() for path in found]


def one_by_one(field: str) -> Iterator[tuple[str, str]]:
    """Yield a config for each value of a field, with a name for it."""
    kind, _, path = field.partition(".")
    values = pools()[kind][path]
    for value in [*values["good"], *values["odd"]]:
        target = document(kind)
        put(target, path, value)
        more = [document("ClusterConfiguration")] if kind in API else []
        yield repr(value), dump([target, *more])


@st.composite
def documents(draw: st.DrawFn, kind: str, *, odd: bool, without: frozenset[str] = frozenset()) -> Document:
    """Return a document with some fields; with `odd`, one of them has a value that may be wrong."""
    known = {path: values for path, values in pools()[kind].items() if f"{kind}.{path}" not in without}
    paths = draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=MOST_FIELDS))
    suspect = draw(st.sampled_from(sorted(known))) if odd else None
    if suspect and suspect not in paths:
        paths.append(suspect)
    made = document(kind)
    for path in paths:
        if values := known[path]["odd" if path == suspect else "good"]:
            put(made, path, draw(st.sampled_from(values)))
    return made


@st.composite
def for_init(draw: st.DrawFn, *, odd: bool, without: frozenset[str] = frozenset()) -> str:
    """Return a config for init, of one document or several, without the fields named `Kind.path`."""
    kinds = draw(st.lists(st.sampled_from(FOR_INIT), unique=True, min_size=1))
    if not set(kinds) & set(FOR_INIT[:2]):
        kinds.append(FOR_INIT[1])
    suspect = draw(st.sampled_from(kinds)) if odd else None
    return dump([draw(documents(kind, odd=kind == suspect, without=without)) for kind in kinds])


@st.composite
def alone(draw: st.DrawFn) -> str:
    """Return a config for join or reset."""
    return dump([draw(documents(draw(st.sampled_from(ALONE)), odd=True))])


def any_config() -> st.SearchStrategy[str]:
    """Return configs of all kinds, most of them with a value that may be wrong."""
    return st.one_of(for_init(odd=True), for_init(odd=False), for_init(odd=True), alone())
