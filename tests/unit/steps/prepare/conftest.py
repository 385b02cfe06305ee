"""Hosts, clusters and a bundle to plan with, and a model of what actions do to a host's facts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.facts import parse
from kubeadm_py.model import binaries, host_settings
from kubeadm_py.model.actions import (
    Action,
    ImportImages,
    LocalFile,
    MakeDirectories,
    Remove,
    RunScript,
    Unit,
    WriteFiles,
)
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, HostFacts, ImageFact, UnitFact
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.steps.base import StepContext

CASES = Path(__file__).parent / "cases"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="session")
def probed() -> Callable[[str], HostFacts]:
    """Facts from a saved answer of a real probe."""

    def read(name: str) -> HostFacts:
        line = (CASES / f"{name}.probe").read_text()
        return parse.parse(line, round_trip=0.0, operator_clock=0.0)

    return read


@pytest.fixture
def machine() -> HostFacts:
    """A bare Debian machine whose kernel has everything as modules."""
    return HostFacts(
        hostname="cp1",
        architecture="amd64",
        os_release={"ID": "debian", "VERSION_ID": "12"},
        kernel="6.1.0",
        kernel_config={
            "OVERLAY_FS": "m",
            "BRIDGE_NETFILTER": "m",
            "NF_CONNTRACK": "m",
            "NF_TABLES": "y",
        },
        kernel_builtin=frozenset({"nf_tables"}),
        sysctls={
            "net.ipv4.ip_forward": "0",
            "fs.inotify.max_user_instances": "128",
            "fs.inotify.max_user_watches": "65536",
        },
        cap_sys_resource=True,
    )


@pytest.fixture
def cluster() -> ResolvedCluster:
    return ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(
            Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)),
            Node("w1", Role.WORKER, ("10.0.0.21",)),
        ),
        networking=Networking(pod_subnet="10.244.0.0/16"),
        artifacts=ArtifactSource.BUNDLE,
    )


@pytest.fixture
def bundle() -> ArtifactView:
    """A bundle of everything for amd64, as the lab builds it."""
    held = json.loads((CASES / "lab-bundle.json").read_text())
    files = {
        name: LocalFile(f"/bundle/{name}", sha256, size) for name, (size, sha256) in held["files"].items()
    }
    return ArtifactView(
        ArtifactSource.BUNDLE,
        components=held["components"],
        architectures=("amd64",),
        binaries={"amd64": files},
        layout="/bundle/images",
        images={"amd64": held["images"]},
    )


@pytest.fixture
def context(cluster: ResolvedCluster, machine: HostFacts, bundle: ArtifactView) -> StepContext:
    """A control plane on the bare machine, with the bundle."""
    return make_context(cluster, "cp1", machine, bundle)


def make_context(
    cluster: ResolvedCluster,
    host: str,
    facts: HostFacts,
    artifacts: ArtifactView | None,
    recorded: Iterable[str] = (),
) -> StepContext:
    return StepContext(
        cluster,
        cluster.node(host),
        facts,
        "init",
        NOW,
        recorded={path: {"sha256": "", "mode": "0644", "made": True} for path in recorded},
        artifacts=artifacts,
    )


@pytest.fixture
def on() -> Callable[..., StepContext]:
    return make_context


@pytest.fixture
def carried_out() -> Callable[[StepContext, list[Action]], StepContext]:
    """The same host after a stage: what the next probe and inventory would say."""

    def carry_out(ctx: StepContext, actions: list[Action]) -> StepContext:
        facts = ctx.facts
        recorded = dict(ctx.recorded)
        for action in actions:
            facts = _after(facts, action)
            if isinstance(action, WriteFiles):
                recorded |= {spec.path: {"sha256": "", "made": True} for spec in action.files}
        return replace(ctx, facts=facts, recorded=recorded)

    return carry_out


def _after(facts: HostFacts, action: Action) -> HostFacts:
    match action:
        case WriteFiles():
            for spec in action.files:
                facts = _with_file(facts, spec.path, spec.content, spec.mode, spec.owner)
            return facts
        case MakeDirectories():
            return replace(
                facts, directories={**facts.directories, **dict.fromkeys(dict(action.directories), 0)}
            )
        case Remove():
            return replace(
                facts, files={path: fact for path, fact in facts.files.items() if path not in action.paths}
            )
        case Unit():
            known = facts.units.get(action.name)
            running = action.state in ("started", "restarted") or (known and known.active_state == "active")
            enabled = action.enabled or (known and known.enabled == "enabled")
            unit = UnitFact(
                action.name,
                "loaded",
                "active" if running else "inactive",
                "enabled" if enabled else "disabled",
            )
            return replace(facts, units={**facts.units, action.name: unit})
        case ImportImages():
            held = {image.reference: image for image in facts.images}
            held |= {name: ImageFact(name, digest, pinned=True) for name, digest in action.images}
            return replace(facts, images=tuple(held.values()))
        case RunScript():
            return _after_script(facts, action)
        case _:
            return facts


def _with_file(facts: HostFacts, path: str, content: object, mode: int, owner: str) -> HostFacts:
    if isinstance(content, LocalFile):
        fact = FileFact(path, mode, owner, "", content.size)
        versions = dict(facts.binary_versions)
        name = path.rpartition("/")[2]
        shipped = {binary.name: binary.component for binary in binaries.BINARIES}
        if shipped.get(name) != binaries.CNI_PLUGINS:
            held = json.loads((CASES / "lab-bundle.json").read_text())["components"]
            versions[name] = held.get(shipped.get(name, ""), "")
        facts = replace(facts, binary_versions=versions, executables={**facts.executables, name: path})
    else:
        assert isinstance(content, bytes)
        fact = FileFact(path, mode, owner, sha256(content), len(content), content)
    return replace(facts, files={**facts.files, path: fact})


def _after_script(facts: HostFacts, action: RunScript) -> HostFacts:
    verb, _, rest = action.title.partition(" ")
    if verb == "load":
        return replace(facts, kernel_builtin=facts.kernel_builtin | set(rest.split(", ")))
    if verb == "set":
        lines = action.script.partition("<<'KPY_SYSCTLS'\n")[2].partition("KPY_SYSCTLS")[0].splitlines()
        values = dict(line.split(" ") for line in lines)
        return replace(facts, sysctls={**facts.sysctls, **values})
    if verb == "switch":
        return replace(facts, swaps=(), units={n: u for n, u in facts.units.items() if ".swap" not in n})
    if verb == "take":
        fact = facts.files[host_settings.FSTAB]
        content = b"".join(
            b"#kubeadm-py: " + line if b"swap" in line and line[:1] != b"#" else line
            for line in (fact.content or b"").splitlines(keepends=True)
        )
        return replace(facts, files={**facts.files, fact.path: replace(fact, content=content)})
    if verb == "pin":
        return replace(facts, images=tuple(replace(image, pinned=True) for image in facts.images))
    if verb == "pull":
        listed = action.script.partition("<<'KPY_IMAGES'\n")[2].partition("\nKPY_IMAGES")[0]
        pulled = [line.split()[0] for line in listed.splitlines()]
        return replace(facts, images=(*facts.images, *(ImageFact(name, "sha256:0") for name in pulled)))
    raise AssertionError(f"the model of a host does not know {action.title!r}")


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script as the engine does, with commands replaced by small stand-ins."""

    def run(script: str, **commands: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, body in commands.items():
            command = folder / name
            command.write_text(f"#!/bin/sh\n{body}\n")
            command.chmod(0o755)
        return subprocess.run(
            ["sh", "-eu", "-c", script],
            env={"PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    return run
