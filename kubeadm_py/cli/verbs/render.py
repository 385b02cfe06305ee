"""Run `kubeadm-py render`."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubeadm_py.artifacts.bundle import BundleError
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import reading
from kubeadm_py.config.complete import complete
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.facts.profiles import load_saved, plain_debian_12
from kubeadm_py.local_path import expanded
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node
from kubeadm_py.model.words import plural
from kubeadm_py.plan.rendering.cluster import Rendered, described_artifacts, render
from kubeadm_py.plan.rendering.content import LeftOut, RenderedHost
from kubeadm_py.render import engine

STAND_IN_NAME = "node"
STAND_IN_ADDRESS = "192.0.2.10"
"""For what a bare kubeadm file leaves to its host; the address is one of documentation (RFC 5737)."""
_ANOTHER = "name a new or an empty folder"


def run(
    *,
    config: str,
    output: str,
    hosts: Sequence[str],
    facts: str,
    no_secrets: bool,
    allow_unknown_fields: bool,
) -> None:
    """Render the config into an empty or new folder, 0700, and say what is there."""
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    for problem in loaded.warnings:
        telling.warn(f"{problem.file}:{problem.line}  {problem.path}  {problem.message}")
    cluster = loaded.cluster
    chosen = [node.name for node in reading.choose(cluster, hosts)] or [node.name for node in cluster.nodes]
    target = expanded(output)
    _refuse_unless_empty(target)
    known = _facts(cluster, chosen, facts)
    if not loaded.has_cluster_document:
        # What the host would decide, its facts decide here.
        cluster = complete(cluster, known)
        renamed = zip(loaded.cluster.nodes, cluster.nodes, strict=True)
        known = {node.name: known[old.name] for old, node in renamed}
        chosen = list(known)
    rendered = render(
        cluster,
        known,
        now=datetime.now(UTC),
        artifacts=_artifacts(cluster, {each.architecture for each in known.values()}),
        secrets=not no_secrets,
    )
    written = [host for host in rendered.hosts if host.name in chosen]
    try:
        _write(target, written, rendered)
    except OSError as error:
        where = error.filename or target
        raise KubeadmPyError(
            f"{where} cannot be written: {error.strerror}",
            fix=f"remove {target}, which is not complete, and run the command again",
        ) from error
    _conclude(target, written, rendered, no_secrets=no_secrets)


def _facts(cluster: ResolvedCluster, chosen: Sequence[str], file: str) -> dict[str, HostFacts]:
    """Return facts for every host: saved ones for the one that is rendered, a profile's for the others."""
    facts = {node.name: _profile(node) for node in cluster.nodes}
    if not file:
        return facts
    if len(chosen) != 1:
        raise UsageError(
            f"--facts describes one host, and the config has {', '.join(chosen)}",
            fix=f"say which of them it is: --host {chosen[0]}",
        )
    try:
        content = expanded(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", fix="check the path") from error
    try:
        facts[chosen[0]] = load_saved(content)
    except KubeadmPyError as error:
        raise UsageError(
            f"{file} is no saved answer of a probe",
            details=[error.summary, *error.details],
            fix="save one: kubeadm-py preflight --config FILE --save-facts DIR",
        ) from error
    return facts


def _profile(node: Node) -> HostFacts:
    address = node.advertise_address or (node.addresses[0] if node.addresses else "")
    if node.unnamed:
        telling.warn(f"the config does not name the host: {STAND_IN_NAME} stands in for its own name")
    if not address:
        telling.warn(f"the config gives the host no address: {STAND_IN_ADDRESS} stands in for its own")
    name = STAND_IN_NAME if node.unnamed else node.name
    return plain_debian_12(name, address or STAND_IN_ADDRESS)


def _artifacts(cluster: ResolvedCluster, architectures: Collection[str]) -> ArtifactView:
    """Return what the config's source offers; a bundle that is not at hand is taken for a complete one."""
    if cluster.artifacts is ArtifactSource.BUNDLE:
        # What opens all kinds of sources takes a while to load, and others need none of it.
        from kubeadm_py.plan.artifacts.sources import open_source

        try:
            return open_source(cluster).view
        except BundleError as error:
            versions = f"the versions that go with {cluster.kubernetes_version}"
            telling.warn(f"{error.summary}: rendered for {versions}")
    return described_artifacts(cluster, architectures)


def _refuse_unless_empty(target: Path) -> None:
    try:
        taken = any(target.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--output {target}: {error.strerror}", fix=_ANOTHER) from error
    if taken:
        raise UsageError(f"--output {target} is not empty", fix=_ANOTHER)


def _write(target: Path, hosts: Iterable[RenderedHost], rendered: Rendered) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    folder = target / "hosts"
    folder.mkdir()
    for host in hosts:
        for file in host.files:
            _write_file(folder / host.name / file.path.lstrip("/"), file.content, file.mode)
        lines = [f"{file.mode:o} {file.owner} {file.path}\n" for file in host.files]
        _write_file(folder / f"{host.name}.modes.txt", "".join(lines).encode(), 0o644)
    if rendered.objects:
        # The Secrets of bootstrap tokens are among them.
        _write_file(target / "objects.yaml", b"".join(map(_document, rendered.objects)), 0o600)


def _document(item: Mapping[str, Any] | LeftOut) -> bytes:
    if isinstance(item, LeftOut):
        why = "Left out, for it needs a key" if item.needs_key else "Fetched when it is applied"
        return f"---\n# {why}: {item.what}\n".encode()
    return b"---\n" + engine.dump(item, sort_keys=False)


def _write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a new file that nobody else can read at any time, and then give it its mode."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)


def _conclude(target: Path, hosts: Sequence[RenderedHost], rendered: Rendered, *, no_secrets: bool) -> None:
    for host in hosts:
        sys.stdout.write(f"{target / 'hosts' / host.name}: {plural(len(host.files), 'file')}\n")
    objects = [item for item in rendered.objects if not isinstance(item, LeftOut)]
    keyed = [item for item in rendered.objects if isinstance(item, LeftOut) and item.needs_key]
    if objects:
        sys.stdout.write(f"{target / 'objects.yaml'}: {plural(len(objects), 'API object')}\n")
    if no_secrets:
        files = sum(len(host.left_out) for host in hosts)
        gone = f"{plural(files, 'file')} and {plural(len(keyed), 'API object')}"
        sys.stdout.write(f"left out: {gone} that hold a key or need one, certificates included\n")
