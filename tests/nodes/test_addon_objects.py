"""What the product's add-ons render to, shown to a real API server: it takes each object, strictly.

Nothing of it runs. This proves schemas, defaults and admission, that of the pods included; not that it works.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.addons import stages
from kubeadm_py.addons.find import available, load
from kubeadm_py.addons.shape import TEMPLATES

from .fleet import Cluster, Fleet
from .workloads import upstream_types

pytestmark = pytest.mark.long

ADDONS = Path(__file__).parents[1] / "unit" / "addons"
CASES: Mapping[str, Mapping[str, Any]] = yaml.safe_load((ADDONS / "cases" / "renderings.yaml").read_text())
"""Rendering -> its add-on. Unit tests hold the kept renderings against what is rendered."""
TYPES_OF = {"rook-ceph": "rook", "metallb": "metallb", "calico": "calico", "canal": "calico"}
"""Add-on -> the file of its types."""
STRICT = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")

DELETION_SECONDS = 600
"""A hundred types go, each with all that controllers hold on to, on a machine with other things to do."""
Object = Mapping[str, Any]


class Server:
    """An API server that is asked what it would do, and the little that must really be there for that."""

    def __init__(self, cluster: Cluster) -> None:
        self.kubectl = cluster.kubectl
        self._before = self._names("namespaces"), self._names("crds")
        self._types: set[Path] = set()

    def prepare(self, objects: Sequence[Object]) -> None:
        """Make objects: a dry run of what lies in a namespace, or runs as an account, needs both."""
        if objects:
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text(objects))

    def types(self, path: Path) -> None:
        """Bring types once, and wait until they are served."""
        if path in self._types:
            return
        self._types.add(path)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=path.read_text())
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")

    def judge(self, objects: Sequence[Object]) -> list[str]:
        """Return a line for each object that would be taken; raise with the server's words else."""
        return self.kubectl(*STRICT, stdin=text(objects)).splitlines() if objects else []

    def clean(self) -> None:
        """Delete what was not there."""
        for kind, before in zip(("namespaces", "crds"), self._before, strict=True):
            new = self._names(kind) - before
            if new:
                self.kubectl("delete", kind, *sorted(new), timeout=DELETION_SECONDS)

    def _names(self, kind: str) -> set[str]:
        return set(self.kubectl("get", kind, "-o", "jsonpath={.items[*].metadata.name}").split())


@pytest.fixture(scope="module")
def cluster(fleet: Fleet) -> Cluster:
    return fleet.cluster(workers=1)


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    server = Server(cluster)
    yield server
    server.clean()


def text(objects: Sequence[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def pods(objects: Sequence[Object]) -> Iterator[Object]:
    """Yield the pods that controllers would make of objects: only they are judged by Pod Security."""
    for each in objects:
        if each["kind"] in TEMPLATES and each["kind"] != "Pod":
            template: Any = each
            for key in TEMPLATES[each["kind"]][:-1]:
                template = template[key]
            metadata = {**template.get("metadata", {}), "name": f"{each['metadata']['name']}-0"}
            metadata["namespace"] = each["metadata"]["namespace"]
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_every_add_on_with_objects_is_here() -> None:
    assert {known["addon"] for known in CASES.values()} >= {
        addon.name for addon in available() if (load(addon.name).folder / "manifests").is_dir()
    }


@pytest.mark.parametrize("case", CASES)
def test_rendered_objects_are_taken_by_a_real_api_server(case: str, server: Server) -> None:
    name = CASES[case]["addon"]
    objects = list(yaml.load_all((ADDONS / "golden" / f"{case}.yaml").read_text(), yaml.CSafeLoader))
    if load(name).addon.crds:
        server.types(upstream_types(TYPES_OF.get(name, name)))
    known = [each for each in objects if stages.is_built_in(each) or each["apiVersion"] in served(server)]
    server.prepare([each for each in objects if each["kind"] == "Namespace"])
    server.prepare([each for each in objects if each["kind"] == "ServiceAccount"])
    assert len(server.judge(known)) == len(known)
    made = list(pods(objects))
    assert len(server.judge(made)) == len(made)
    left = sorted({each["kind"] for each in objects} - {each["kind"] for each in known})
    if left:
        pytest.skip(f"all but {', '.join(left)} was taken: their types are not at hand")


def test_the_objects_in_the_docs_are_taken(server: Server) -> None:
    page = (ADDONS.parents[2] / "docs" / "workloads.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    objects = [
        each for block in blocks if "kind: Cluster\n" not in block for each in yaml.safe_load_all(block)
    ]
    spaces = {each["metadata"]["namespace"] for each in objects if "namespace" in each["metadata"]}
    server.prepare([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in spaces])
    assert len(server.judge(objects)) == len(objects) > 0


def served(server: Server) -> set[str]:
    return set(server.kubectl("api-versions").split())
