"""A control plane to plan for, and what a host is like once the planned files are there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kubeadm_py.model.actions import Action, FileSpec, Late, MakeDirectories, Unit, WriteFiles
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, HostFacts, UnitFact
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import files
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.steps import applied
from kubeadm_py.steps.base import StepContext

NOW = datetime(2026, 11, 21, tzinfo=UTC)
Carry = Callable[[StepContext, list[Action]], StepContext]


@pytest.fixture
def control_plane() -> StepContext:
    """A first control plane on a bare host."""
    cluster = ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11"),),
        networking=Networking(pod_subnet="10.244.0.0/16"),
        encryption_algorithm="ECDSA-P256",
    )
    return StepContext(cluster, cluster.nodes[0], HostFacts(), "init", NOW)


@pytest.fixture
def authorities(control_plane: StepContext) -> Iterator[Authorities]:
    with Authorities.from_fresh(control_plane.cluster, now=NOW) as made:
        yield made


@pytest.fixture
def carry(authorities: Authorities) -> Carry:
    """Return the same host after a stage, as the next probe and the inventory describe it."""
    producers = {
        **files.producers(authorities),
        applied.PRODUCER: lambda _args: applied.authority_note(authorities.ca_pem()),
    }

    def content_of(spec: FileSpec) -> bytes:
        if isinstance(spec.content, Late):
            return producers[spec.content.producer](spec.content.args)
        assert isinstance(spec.content, bytes)
        return spec.content

    def carry_out(ctx: StepContext, actions: list[Action]) -> StepContext:
        found, recorded = dict(ctx.facts.files), dict(ctx.recorded)
        directories, units = dict(ctx.facts.directories), dict(ctx.facts.units)
        for action in actions:
            if isinstance(action, WriteFiles):
                for spec in action.files:
                    content = content_of(spec)
                    found[spec.path] = seen(spec.path, content, spec.mode, spec.owner)
                    recorded[spec.path] = {
                        "sha256": sha256(content),
                        "mode": f"{spec.mode:04o}",
                        "made": True,
                    }
            elif isinstance(action, MakeDirectories):
                directories |= dict.fromkeys(dict(action.directories), 0)
            elif isinstance(action, Unit):
                units[action.name] = UnitFact(action.name, "loaded", "active", "enabled")
        facts = replace(ctx.facts, files=found, directories=directories, units=units)
        return replace(ctx, facts=facts, recorded=recorded)

    return carry_out


def seen(path: str, content: bytes, mode: int = 0o644, owner: str = "root:root") -> FileFact:
    """Return a file as the probe tells of it: keys withheld."""
    shown: bytes | None = re.sub(rb"client-key-data: .*|token: .*", b"", content)
    if b"PRIVATE KEY" in content:
        shown = None
    return FileFact(
        path, mode, owner, sha256(content), len(content), shown, partial=shown not in (content, None)
    )


@pytest.fixture
def with_file() -> Callable[..., StepContext]:
    """Return the context with one more file on the host, or (content None) one less."""

    def put(ctx: StepContext, path: str, content: bytes | None, **more: Any) -> StepContext:
        found = {name: fact for name, fact in ctx.facts.files.items() if name != path}
        if content is not None:
            found[path] = seen(path, content, **more)
        return replace(ctx, facts=replace(ctx.facts, files=found))

    return put
