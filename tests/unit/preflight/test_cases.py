"""Every check against its cases: `cases/*.yaml`, one file a subject.

A case starts from a plain Debian 12 machine (or a saved answer, `host`) that is the first control plane of
a small cluster, changes what it names, and lists all that one check then finds. `expect: []` is a pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import requirements
from kubeadm_py.facts.profiles import load_saved, plain_debian_12
from kubeadm_py.model import facts as fact_types
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource, LoadBalancer, ResolvedCluster
from kubeadm_py.model.components import Dns, Etcd, ExternalEtcd
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.host_needs import Command, HostRequirements, InterfaceChoice
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, OwnFile, Role
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.versions import Version
from kubeadm_py.preflight import run as preflight
from kubeadm_py.preflight.context import CheckContext, Reach
from kubeadm_py.preflight.table import CHECKS

FOLDER = Path(__file__).parent / "cases"
ANSWERS = Path(__file__).parent.parent / "facts" / "answers"
BY_NAME = {check.name: check for check in CHECKS}


CASES = [case for path in sorted(FOLDER.glob("*.yaml")) for case in yaml.safe_load(path.read_text())]


def facts_of(values: Mapping[str, Any], base: HostFacts) -> HostFacts:
    made = {
        "listeners": lambda rows: tuple(fact_types.Listener(**{"protocol": "tcp", **row}) for row in rows),
        "interfaces": lambda rows: tuple(
            fact_types.Interface(**{**row, "addresses": tuple(row.get("addresses", ()))}) for row in rows
        ),
        "external_etcd": lambda rows: {place: fact_types.EtcdAnswer(**row) for place, row in rows.items()},
        "disks": lambda rows: {row["path"]: fact_types.Disk(**row) for row in rows},
        "images": lambda names: tuple(fact_types.ImageFact(name, "sha256:0") for name in names),
        "units": lambda rows: {
            name: fact_types.UnitFact(name, *[*row, "", ""][:3]) for name, row in rows.items()
        },
        "files": lambda rows: {
            path: fact_types.FileFact(
                path,
                0o644,
                "root:root",
                content=text.encode() if isinstance(text, str) else None,
                directory=text == {"directory": True},
            )
            for path, text in rows.items()
        },
    }
    converted: dict[str, Any] = {}
    for name, value in values.items():
        field = getattr(base, name)
        if name in made:
            converted[name] = made[name](value)
        elif isinstance(field, frozenset):
            converted[name] = frozenset(value)
        elif isinstance(field, tuple):
            converted[name] = tuple(value)
        else:
            converted[name] = value
    return dataclasses.replace(base, **converted)


def cluster_of(values: Mapping[str, Any], nodes: tuple[Node, ...]) -> ResolvedCluster:
    made = {
        "kubernetes_version": Version.parse,
        "networking": lambda row: Networking(**row),
        "dns": lambda row: Dns(**row),
        "addons": lambda rows: tuple(AddonRequest(**row) for row in rows),
        "artifacts": ArtifactSource,
        "registries": lambda rows: {
            name: Registry(**{k: tuple(v) for k, v in row.items()}) for name, row in rows.items()
        },
        "load_balancer": LoadBalancer,
        "discovery": lambda row: Discovery(**row),
        "external_etcd": lambda row: Etcd(local=None, external=ExternalEtcd(("https://e:2379",), **row)),
    }
    converted = {
        "etcd" if name == "external_etcd" else name: made[name](value) if name in made else value
        for name, value in values.items()
    }
    basis = ResolvedCluster(
        "demo", Version.parse("v1.36.3"), nodes, networking=Networking(pod_subnet="10.244.0.0/16")
    )
    return dataclasses.replace(basis, **converted)


def needs_of(case: Mapping[str, Any], cluster: ResolvedCluster) -> HostRequirements:
    """Return what the case says, else what the cluster's add-ons ask for."""
    if "needs" not in case:
        return requirements.of(addons.resolve(cluster))
    row = dict(case["needs"])
    commands = tuple(Command(**{**each, "addons": tuple(each["addons"])}) for each in row.pop("commands", ()))
    interfaces = tuple(
        InterfaceChoice(**{**each, "values": tuple(each["values"])}) for each in row.pop("interfaces", ())
    )
    return HostRequirements(commands=commands, interfaces=interfaces, **row)


def context_of(case: Mapping[str, Any]) -> CheckContext:
    role = Role(case.get("role", "control-plane"))
    node_values = {
        name: SSH(**{"host": "10.0.0.11", **value}) if name == "ssh" and value is not None else value
        for name, value in case.get("node", {}).items()
    }
    if "files" in node_values:
        node_values["files"] = [
            OwnFile(**{**row, "content": row["content"].encode()}) for row in node_values["files"]
        ]
    basis = Node("host1", role, ("10.0.0.11",), ssh=SSH("10.0.0.11", user="admin"))
    node = dataclasses.replace(
        basis,
        **{name: tuple(value) if isinstance(value, list) else value for name, value in node_values.items()},
    )
    base = plain_debian_12("host1", "10.0.0.11")
    if "host" in case:
        base = load_saved((ANSWERS / case["host"]).read_bytes())
    facts = facts_of(case.get("facts", {}), base)
    before = {
        name: facts_of(values, plain_debian_12(name, "10.0.0.99"))
        for name, values in case.get("others", {}).items()
    }
    nodes = (node,) if role is Role.CONTROL_PLANE else (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",)), node)
    nodes += tuple(Node(name, Role.WORKER, ("10.0.0.98",)) for name in case.get("workers", ()))
    cluster = cluster_of(case.get("cluster", {}), nodes)
    return CheckContext(
        cluster=cluster,
        node=node,
        facts=facts,
        verb=case.get("verb", "init" if role is Role.CONTROL_PLANE else "join"),
        member=case.get("member", False),
        moving=case.get("moving", False),
        needs=needs_of(case, cluster),
        all_facts={**before, node.name: facts},
        reach={place: Reach(word) for place, word in case.get("reach", {}).items()},
        vip_answers=Reach(case["vip"]) if "vip" in case else None,
        balancer_answers=Reach(case["balancer"]) if "balancer" in case else None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['check']}: {case['name']}")
def test_check_finds_what_its_case_says(case: Mapping[str, Any]) -> None:
    check = BY_NAME[case["check"]]
    found = preflight.run(check.gate, [context_of(case)], checks=[check])
    expected = case["expect"]
    assert [(one.check, one.severity.value) for one in found] == [
        (row.get("as", check.name), row.get("severity", check.severity.value)) for row in expected
    ]
    for finding, row in zip(found, expected, strict=True):
        assert finding.host == case.get("node", {}).get("name", "host1")
        for word in row.get("found", []):
            assert word in finding.found
        for word in row.get("fix", []):
            assert word in finding.fix


@pytest.mark.parametrize("name", BY_NAME)
def test_every_check_has_a_case_that_passes_and_one_that_does_not(name: str) -> None:
    own = [case for case in CASES if case["check"] == name]
    assert any(case["expect"] for case in own)
    assert any(not case["expect"] for case in own)
