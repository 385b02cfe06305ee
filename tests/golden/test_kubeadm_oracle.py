"""Compare what we render with what real kubeadm made of the same config (tests/golden/kubeadm)."""

from __future__ import annotations

import base64
import contextlib
import functools
import ipaddress
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from oracle import cases
from oracle.record import MADE_AT, MASK, TOKEN
from oracle.words import read_certificate, read_kubeconfig

from kubeadm_py.config import load
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import keys
from kubeadm_py.plan.render import Rendered, described_artifacts, render
from kubeadm_py.steps import mark_node
from kubeadm_py.token import bootstrap

ORACLE = cases.CASES
CASES = cases.names()
YAML_IN_CONFIG_MAPS = ("ClusterConfiguration", "kubelet", "kubeconfig", "config.conf", "kubeconfig.conf")
COMPARED = ("/etc/kubernetes/manifests/", "/var/lib/kubelet/")
"""What lies here is recorded byte for byte."""
ABSENT = object()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True, scope="module")
def _nothing_random() -> Iterator[None]:
    """Make each kind of key once, as nothing here looks at more than its kind, and the recording's token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "generate", lambda: Secret(TOKEN))
        for name, make in keys.ALGORITHMS.items():
            patch.setitem(keys.ALGORITHMS, name, functools.cache(make))
        yield


def read_facts(case: str) -> HostFacts:
    host = cases.read(case).host
    facts = plain_debian_12(host.hostname, host.addresses[0])
    return HostFacts(
        hostname=host.hostname,
        interfaces=facts.interfaces,
        default_route_address=facts.default_route_address,
        directories=dict.fromkeys(host.directories, 1),
        environment=host.environment,
    )


@functools.cache
def resolved(case: str) -> tuple[ResolvedCluster, dict[str, HostFacts]]:
    """Return the cluster that a case's file describes on its host, and the facts of its nodes."""
    loaded = load.load(str(ORACLE / case / cases.CONFIG)).cluster
    facts = read_facts(case)
    cluster = load.complete(loaded, {node.name: facts for node in loaded.nodes})
    return cluster, {node.name: facts for node in cluster.nodes}


@functools.cache
def rendered(case: str) -> Rendered:
    cluster, facts = resolved(case)
    return render(cluster, facts, now=MADE_AT, artifacts=described_artifacts(cluster, {"amd64"}))


def our_files(case: str) -> dict[str, bytes]:
    (host,) = rendered(case).hosts
    return {file.path: file.content for file in host.files}


def recorded_files(case: str) -> dict[str, bytes]:
    folder = ORACLE / case / "files"
    return {f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def recorded(case: str) -> dict[str, Any]:
    """Return everything of a recording, put into plain data by name."""
    folder = ORACLE / case
    objects = yaml.load_all((folder / "objects.yaml").read_text(), yaml.CSafeLoader)
    return {
        **parse_files(recorded_files(case)),
        **parse_objects(objects),
        **json.loads((folder / "certificates.json").read_text()),
        **json.loads((folder / "kubeconfigs.json").read_text()),
        "node": dict(line.split(": ", 1) for line in (folder / "node.txt").read_text().splitlines()),
    }


def ours(case: str) -> dict[str, Any]:
    """Return the same of what we render."""
    cluster, _ = resolved(case)
    files = our_files(case)
    ca = files.get(f"{cluster.certificates_dir}/ca.crt", b"")
    return {
        **parse_files({path: content for path, content in files.items() if path.startswith(COMPARED)}),
        **parse_objects(rendered(case).objects, ca),
        **{path: read_certificate(content) for path, content in files.items() if path.endswith(".crt")},
        **{
            path: read_kubeconfig(content, ca)
            for path, content in files.items()
            if path.startswith("/etc/kubernetes/") and path.endswith(".conf")
        },
        "node": node_marks(cluster),
    }


def node_marks(cluster: ResolvedCluster) -> dict[str, str]:
    """Say what marks the node gets, in the words of kubeadm's dry run."""
    if "mark-control-plane" in cluster.init_skip_phases:
        return {}
    node = cluster.control_planes[0]
    marks = mark_node.patch(node)
    labels = [f"{name}={value}" if value else name for name, value in marks["metadata"]["labels"].items()]
    taints = [str(taint) for taint in node.effective_taints]
    assert len(marks.get("spec", {}).get("taints", [])) == len(taints)
    return {what: " ".join(words) for what, words in (("labels", labels), ("taints", taints)) if words}


def parse_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {path: parse_file(path, content.decode()) for path, content in files.items()}


def parse_file(path: str, text: str) -> Any:
    if not path.endswith(".env"):
        document = yaml.load(text, yaml.CSafeLoader)
        if document.get("kind") == "Pod":
            (container,) = document["spec"]["containers"]
            program, *arguments = container["command"]
            container["command"] = {"": program, **parse_flags(arguments)}
        return document
    assignment, newline = text[:-1], text[-1]
    assert newline == "\n"
    name, _, quoted = assignment.partition("=")
    assert name == "KUBELET_KUBEADM_ARGS"
    (line,) = shlex.split(quoted)
    return parse_flags(line.split())


def parse_flags(arguments: list[str]) -> dict[str, Any]:
    flags: dict[str, list[str]] = {}
    for argument in arguments:
        flag, _, value = argument.removeprefix("--").partition("=")
        flags.setdefault(flag, []).append(value)
    return {flag: values[0] if len(values) == 1 else values for flag, values in flags.items()}


def parse_objects(documents: Any, ca: bytes = b"") -> dict[str, Any]:
    """Return objects by name; what trusts `ca` is masked as the recording is."""
    parsed = {}
    for document in documents:
        data = {
            key: value.replace(base64.b64encode(ca).decode(), MASK) if ca else value
            for key, value in document.get("data", {}).items()
        }
        data |= {key: yaml.load(data[key], yaml.CSafeLoader) for key in YAML_IN_CONFIG_MAPS if key in data}
        identity = identify(document)
        assert identity not in parsed
        parsed[identity] = {**document, "data": data} if data else dict(document)
    return parsed


def identify(document: Mapping[str, Any]) -> str:
    metadata = document["metadata"]
    namespace = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{document['kind']} {namespace}{metadata['name']}"


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
    elif type(theirs) is not type(ours) or meaning(theirs) != meaning(ours):
        yield path, theirs, ours


def meaning(value: Any) -> Any:
    """Return durations and addresses as such: 1m is 1m0s, and an IPv6 address has many spellings."""
    if isinstance(value, str):
        for read in (parse_duration, ipaddress.ip_address):
            with contextlib.suppress(ValueError):
                return read(value)
    return value


Difference = tuple[str, str, Any, Any]
"""The file or object, the path in it, kubeadm's value, ours."""


def wanted_differences() -> list[tuple[list[str] | None, Difference]]:
    """Read the list: the cases of each difference, None where it may be in any."""
    entries = yaml.load((ORACLE / "differences.yaml").read_text(), yaml.CSafeLoader)
    assert all(len(entry["reason"]) > 20 for entry in entries)
    return [
        (
            entry.get("cases"),
            (entry["where"], entry["path"], entry.get("kubeadm", ABSENT), entry.get("ours", ABSENT)),
        )
        for entry in entries
    ]


@functools.cache
def found_differences(case: str) -> list[Difference]:
    left, right = recorded(case), ours(case)
    return [
        (where, *difference)
        for where in sorted({*left, *right})
        for difference in differences(left.get(where, ABSENT), right.get(where, ABSENT))
    ]


def test_equals_kubeadm_but_for_the_wanted_differences(case: str) -> None:
    found = found_differences(case)
    anywhere = [entry for named, entry in wanted_differences() if named is None]
    here = [entry for named, entry in wanted_differences() if named is not None and case in named]
    assert [entry for entry in found if entry not in anywhere + here] == [], "not wanted"
    assert [entry for entry in here if entry not in found] == [], "listed, but does not occur"


def test_every_wanted_difference_occurs() -> None:
    found = [entry for case in CASES for entry in found_differences(case)]
    for named, entry in wanted_differences():
        assert entry in found, entry
        assert set(named or ()) <= set(CASES)


def test_objects_come_in_kubeadms_order(case: str) -> None:
    objects = yaml.load_all((ORACLE / case / "objects.yaml").read_text(), yaml.CSafeLoader)
    theirs = [identify(item) for item in objects]
    mine = [identify(item) for item in rendered(case).objects]
    assert [name for name in mine if name != "ClusterRoleBinding kubeadm:cluster-admins"] == theirs


def test_files_have_kubeadms_modes(case: str) -> None:
    """What we write besides is listed in tests/golden/render/differences.yaml."""
    lines = (line.split(" ", 2) for line in (ORACLE / case / "modes.txt").read_text().splitlines())
    theirs = {path: (mode, owner) for mode, owner, path in lines}
    (host,) = rendered(case).hosts
    mine = {file.path: (f"{file.mode:o}", file.owner) for file in host.files if file.path in theirs}
    assert mine == theirs


def test_manifests_are_kubeadms_bytes(case: str) -> None:
    """An operator's diff then sees no change where there is none."""
    files = our_files(case)
    manifests = {path: text for path, text in recorded_files(case).items() if "/manifests/" in path}
    other = {where for where, *_ in found_differences(case)}
    for path, text in manifests.items():
        assert files[path] == text or path in other, path
