"""The JSON schema of the Cluster document: every key is described, and good documents fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.config import schema
from kubeadm_py.config.cluster_types import Cluster

CASES = Path(__file__).parent / "cases" / "accepted"
TYPES = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


def wrong(value: Any, node: dict[str, Any], path: str = "") -> list[str]:
    """List what a document has that the schema does not allow; the part of JSON schema that we use."""
    if "anyOf" in node:
        found = [wrong(value, each, path) for each in node["anyOf"]]
        return [] if [] in found else found[-1]
    if "const" in node:
        return [] if value == node["const"] else [path]
    if value is None:
        return []
    if not isinstance(value, TYPES[node["type"]]):
        return [f"{path}: {value!r} is no {node['type']}"]
    if node.get("enum") and value not in node["enum"]:
        return [f"{path}: {value!r}"]
    problems = [f"{path}.{key} is missing" for key in node.get("required", ()) if key not in value]
    if isinstance(value, dict):
        allowed = node.get("properties", {})
        for key, inner in value.items():
            more = node.get("additionalProperties")
            if key in allowed:
                problems += wrong(inner, allowed[key], f"{path}.{key}")
            elif more is False:
                problems.append(f"{path}.{key}")
    if isinstance(value, list):
        for item in value:
            problems += wrong(item, node["items"], f"{path}[]")
    return problems


def documents() -> list[Any]:
    found = [each for path in sorted(CASES.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    return [each for each in found if isinstance(each, dict) and each.get("kind") == "Cluster"]


@pytest.mark.parametrize("document", documents(), ids=lambda each: str(each["metadata"]["name"]))
def test_good_documents_fit(document):
    assert wrong(document, schema.schema()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Clusters"}, ".kind"),
        ({"spec": {}}, ".spec.hosts is missing"),
        ({"spec": {"hosts": [{"name": "a", "role": "boss", "address": "192.0.2.1"}]}}, ".spec.hosts[].role"),
        ({"spec": {"hosts": [], "ssh": {"prot": 22}}}, ".spec.ssh.prot"),
        ({"spec": {"hosts": [], "ssh": {"port": "22"}}}, ".spec.ssh.port: '22' is no integer"),
    ],
)
def test_wrong_documents_do_not(change, said):
    good = {
        "apiVersion": schema.API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": "x"},
        "spec": {"hosts": []},
    }
    assert wrong(good, schema.schema()) == []
    (problem,) = wrong({**good, **change}, schema.schema())
    assert problem.startswith(said)


def test_every_key_that_is_supported_is_described():
    typed: set[str] = set()

    def walk(node: dict[str, Any], path: str, definitions: dict[str, Any]) -> None:
        for each in (node, *node.get("anyOf", ())):
            inner = definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for key, value in inner.get("properties", {}).items():
                below = f"{path}.{key}".lstrip(".")
                typed.add(below)
                walk(value, below, definitions)
            if "items" in inner:
                walk(inner["items"], f"{path}[]", definitions)
            values = inner.get("additionalProperties")
            if isinstance(values, dict) and "$ref" in values:
                typed.add(f"{path}.{schema.NAME}")
                walk(values, f"{path}.{schema.NAME}", definitions)

    raw = Cluster.model_json_schema(by_alias=True)
    walk(raw, "", raw["$defs"])
    assert typed == set(schema.DESCRIPTIONS)
