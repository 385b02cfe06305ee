"""Compare what we render with what real kubeadm made of the same config (tests/golden/kubeadm)."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.config import load
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.render import kubelet, objects, static_pods
from kubeadm_py.token import bootstrap

ORACLE = Path(__file__).parent / "kubeadm"
CASES = ["stacked", "external-etcd", "dual-stack"]
YAML_IN_CONFIG_MAPS = ("ClusterConfiguration", "kubelet", "kubeconfig", "config.conf", "kubeconfig.conf")
ABSENT = object()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


def read_host(case: str) -> dict[str, Any]:
    return yaml.safe_load((ORACLE / case / "host.yaml").read_text())


def read_facts(case: str) -> HostFacts:
    host = read_host(case)
    return HostFacts(
        hostname=host["hostname"],
        directories=dict.fromkeys(host["directories"], 1),
        environment=host["environment"],
    )


def read_cluster(case: str) -> ResolvedCluster:
    loaded = load.load(str(ORACLE / case / "config.yaml")).cluster
    return load.complete(loaded, {"cp1": read_facts(case)})


def render_files(case: str) -> list[FileSpec]:
    cluster, facts = read_cluster(case), read_facts(case)
    node = cluster.control_planes[0]
    return [
        *static_pods.manifests(cluster, node, facts, environment=facts.environment),
        kubelet.kubelet_config(cluster, node, facts),
        kubelet.instance_config(cluster, node, facts),
        kubelet.flags_env(cluster, node, facts, joining=False),
    ]


def read_oracle(case: str) -> dict[str, Any]:
    folder = ORACLE / case / "files"
    files = {
        f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    recorded = yaml.load_all((ORACLE / case / "objects.yaml").read_text(), yaml.CSafeLoader)
    return parse_files(files) | parse_objects(recorded)


def render(case: str) -> dict[str, Any]:
    cluster, facts = read_cluster(case), read_facts(case)
    cluster_info = read_oracle(case)["ConfigMap kube-public/cluster-info"]["data"]["kubeconfig"]
    ca_data = cluster_info["clusters"][0]["cluster"]["certificate-authority-data"]
    made_at = datetime.fromisoformat(read_host(case)["tokens_made_at"])
    rendered = objects.cluster_objects(
        cluster,
        cluster.control_planes[0],
        ca_pem=base64.b64decode(ca_data),
        tokens=[bootstrap.secret_object(token, made_at) for token in cluster.bootstrap_tokens],
        environment=facts.environment,
    )
    return parse_files({spec.path: spec.content for spec in render_files(case)}) | parse_objects(rendered)


def parse_files(files: Mapping[str, Any]) -> dict[str, Any]:
    return {path: parse_file(path, content.decode()) for path, content in files.items()}


def parse_file(path: str, text: str) -> Any:
    if not path.endswith(".env"):
        return yaml.load(text, yaml.CSafeLoader)
    assignment, newline = text[:-1], text[-1]
    assert newline == "\n"
    name, _, quoted = assignment.partition("=")
    assert name == "KUBELET_KUBEADM_ARGS"
    (line,) = shlex.split(quoted)
    pairs = [argument.removeprefix("--").split("=", 1) for argument in line.split()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def parse_objects(documents: Any) -> dict[str, Any]:
    parsed = {}
    for document in documents:
        data = document.get("data", {})
        read = {key: yaml.load(data[key], yaml.CSafeLoader) for key in YAML_IN_CONFIG_MAPS if key in data}
        metadata = document["metadata"]
        namespace = f"{metadata['namespace']}/" if "namespace" in metadata else ""
        identity = f"{document['kind']} {namespace}{metadata['name']}"
        assert identity not in parsed
        parsed[identity] = {**document, "data": {**data, **read}} if read else dict(document)
    return parsed


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        for key in sorted({*theirs, *ours}):
            below = f"{path}.{key}" if path else key
            yield from differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), below)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for index in range(max(len(theirs), len(ours))):
            left = theirs[index] if index < len(theirs) else ABSENT
            right = ours[index] if index < len(ours) else ABSENT
            yield from differences(left, right, f"{path}[{index}]")
    elif type(theirs) is not type(ours) or theirs != ours:
        yield path, theirs, ours


def wanted_differences(case: str) -> list[tuple[str, str, Any, Any]]:
    entries = yaml.load((ORACLE / "differences.yaml").read_text(), yaml.CSafeLoader)
    assert all(len(entry["reason"]) > 20 for entry in entries)
    return [
        (entry["where"], entry["path"], entry.get("kubeadm", ABSENT), entry.get("ours", ABSENT))
        for entry in entries
        if case in entry["cases"]
    ]


def test_equals_kubeadm_but_for_the_wanted_differences(case: str) -> None:
    theirs, ours = read_oracle(case), render(case)
    found = [
        (where, *difference)
        for where in sorted({*theirs, *ours})
        for difference in differences(theirs.get(where, ABSENT), ours.get(where, ABSENT))
    ]
    wanted = wanted_differences(case)
    assert [entry for entry in found if entry not in wanted] == [], "not wanted"
    assert [entry for entry in wanted if entry not in found] == [], "listed, but does not occur"


def test_objects_come_in_kubeadms_order(case: str) -> None:
    theirs = [name for name in read_oracle(case) if not name.startswith("/")]
    ours = [name for name in render(case) if not name.startswith("/")]
    assert ours[0] == "ClusterRoleBinding kubeadm:cluster-admins"
    assert ours[1:] == theirs


def test_files_have_kubeadms_modes(case: str) -> None:
    recorded = {
        path: (mode, owner)
        for mode, owner, path in map(str.split, (ORACLE / case / "modes.txt").read_text().splitlines())
        if "/manifests/" in path or path.startswith("/var/lib/kubelet/")
    }
    assert {spec.path: (f"{spec.mode:o}", spec.owner) for spec in render_files(case)} == recorded


@pytest.mark.parametrize("case", ["stacked", "external-etcd"], indirect=True)
def test_manifests_are_kubeadms_bytes(case: str) -> None:
    """An operator's diff then sees no change where there is none."""
    manifests = [spec for spec in render_files(case) if "/manifests/" in spec.path]
    assert manifests
    for spec in manifests:
        assert spec.content == (ORACLE / case / "files" / spec.path.lstrip("/")).read_bytes(), spec.path
