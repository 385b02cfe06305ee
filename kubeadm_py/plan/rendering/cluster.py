"""Render what init and joins would write, every file and API object of it, and touch no host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.artifacts import official
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    LocalFile,
)
from kubeadm_py.model.binaries import BINARIES
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.etcd import Birth
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.joined import JoinedCluster, SharedFile
from kubeadm_py.model.node import Node
from kubeadm_py.model.phases import INIT, JOIN
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.stages import Stage
from kubeadm_py.pki import requests, shared
from kubeadm_py.pki.stock import KeyStock
from kubeadm_py.plan import phases
from kubeadm_py.plan.build import build_stage
from kubeadm_py.plan.certificates.producers import ControlPlaneProducers
from kubeadm_py.plan.certificates.shared_keys import SharedKeys
from kubeadm_py.plan.joining.joined import as_joined
from kubeadm_py.plan.rendering.content import LeftOut, Maker, RenderedHost
from kubeadm_py.plan.workflows import (
    CONTROL_PLANE,
    ETCD_HOSTS,
    JOIN_CONTROL_PLANE,
    JOIN_WORKER,
    PREPARE,
    WORKERS_THERE,
)
from kubeadm_py.steps.addons import custom_resources
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.etcd import cluster as etcd_cluster
from kubeadm_py.steps.objects import addons as addon_objects
from kubeadm_py.token import bootstrap
from kubeadm_py.transport.fake import FakeHost

_CONFIGS = ("kubelet-config", "kubeadm-config")
"""The ConfigMaps that a joining host reads."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold what a config leads to."""

    hosts: tuple[RenderedHost, ...]
    objects: tuple[Mapping[str, Any] | LeftOut, ...]


def render(
    cluster: ResolvedCluster,
    facts: Mapping[str, HostFacts],
    *,
    now: datetime,
    artifacts: ArtifactView,
    secrets: bool = True,
) -> Rendered:
    """Return the files of every host and the API objects in the order of their creation.

    `facts` holds every host of the cluster by name. What kubeadm-py wrote there before does not count: the
    tree is that of a new cluster, with fresh authorities. Without `secrets` no key is made, and what would
    hold or need one is left out.
    """
    tokens = [replace(token, token=token.token or bootstrap.generate()) for token in cluster.bootstrap_tokens]
    cluster = replace(
        cluster,
        bootstrap_tokens=tuple(tokens),
    )
    init_phases = phases.selection(INIT, (), cluster.init_skip_phases)
    join_phases = phases.selection(JOIN, (), cluster.join_skip_phases)
    resolved = tuple(addons.resolve(cluster))

    def context(of: ResolvedCluster, node: Node, joined: JoinedCluster | None = None) -> StepContext:
        known = facts[node.name]
        return StepContext(
            of.at(node),
            node,
            as_new(of, known),
            "init" if joined is None else "join",
            now,
            recorded=Inventory.parse(known.inventory, node.name).files,
            all_facts=facts,
            artifacts=artifacts,
            joined=joined,
            addons=resolved if cluster.control_planes else (),
            phases=init_phases if joined is None else join_phases,
        )

    hosts: list[RenderedHost] = []
    objects: list[Mapping[str, Any] | LeftOut] = []
    joined = _undiscovered(cluster)
    keys = KeyStock(cluster.key_algorithm, _keys_wanted(cluster) if secrets else 0)
    try:
        if cluster.control_planes:
            first = cluster.control_planes[0]
            founders = Birth(tuple((node.name, etcd_cluster.peer_url(node)) for node in cluster.etcd_hosts))
            ctx = context(cluster, first)
            stages = [
                build_stage(PREPARE, [ctx]),
                build_stage(CONTROL_PLANE, [ctx]),
                *_once_there_are_workers(ctx),
            ]
            # These facts know of no authority, so none is read: the host behind the session is never asked.
            nowhere = FakeHost(
                first.name, default=KubeadmPyError("rendering reaches no host", host=first.name)
            )
            session = Session(first, nowhere, ctx.facts, Inventory(), probe="")
            producers = ControlPlaneProducers(cluster, session, now, keys, init_phases)
            try:
                make = Maker(producers.table(), secrets=secrets)
                hosts.append(make.host(first.name, stages))
                objects += make.objects(stages)
                joined = _as_discovered(joined, objects, producers.ca_pem() if secrets else b"")
                hosts += [
                    make.host(node.name, _etcd_stages(replace(context(cluster, node), birth=founders)))
                    for node in cluster.etcd_hosts
                ]
            finally:
                producers.forget()
        taken_over = _shared_keys(cluster, hosts[0], now, keys) if len(cluster.control_planes) > 1 else None
        followers = as_joined(cluster, joined)
        members = [_member(node) for node in cluster.control_planes]
        for index, node in enumerate(cluster.control_planes[1:], start=2):
            assert taken_over is not None  # noqa: S101 - there is a second control plane
            ctx = context(followers, node, replace(joined, shared=taken_over.described, helper=joined.server))
            stages = [
                build_stage(PREPARE, [ctx]),
                build_stage(JOIN_CONTROL_PLANE, [ctx]),
            ]
            make = Maker(taken_over.table(joined.ca_pem), secrets=secrets, members=",".join(members[:index]))
            hosts.append(make.host(node.name, stages))
        if taken_over is not None:
            taken_over.forget()
        make = Maker({}, secrets=secrets)
        for node in followers.workers:
            ctx = context(followers, node, joined)
            stages = [
                build_stage(PREPARE, [ctx]),
                build_stage(JOIN_WORKER, [ctx]),
            ]
            unknown = frozenset() if joined.ca_pem else frozenset({cluster.ca_cert_path})
            hosts.append(make.host(node.name, stages, unknown))
    finally:
        keys.close()
    return Rendered(tuple(hosts), tuple(objects))


def _once_there_are_workers(ctx: StepContext) -> list[Stage]:
    """Plan the custom resources that the control plane's own stage leaves to the first join of a worker."""
    workers = tuple(ctx.cluster.workers)
    if not workers or addons_ready.schedulable_without_workers(ctx):
        return []
    waiting = tuple(each.item for each in addon_objects.of(ctx) if custom_resources.needs_worker(each))
    return [build_stage(WORKERS_THERE, [replace(ctx, addons=waiting, marked=workers)])]


def _etcd_stages(ctx: StepContext) -> list[Stage]:
    return [build_stage(PREPARE, [ctx]), build_stage(ETCD_HOSTS, [ctx])]


def _keys_wanted(cluster: ResolvedCluster) -> int:
    """Count the keys of a new cluster: the first control plane's, and those of each that follows."""
    first, *others = cluster.control_planes or (None,)
    if first is None:
        return 0
    shared = len(requests.authority_requests(cluster)) + len(requests.key_pair_requests(cluster))
    own = [
        len(requests.leaf_requests(cluster, node)) + len(requests.kubeconfig_requests(cluster, node))
        for node in cluster.control_planes
    ]
    own += [len(requests.requests(cluster.at(node), node)) for node in cluster.etcd_hosts]
    own += [len(requests.etcd_client_requests(cluster, first))]
    # The kubelets of the others ask the cluster for their certificates.
    return shared + sum(own) - len(others)


def _member(node: Node) -> str:
    return f"{node.name}={etcd_cluster.peer_url(node)}"


def _shared_keys(cluster: ResolvedCluster, first: RenderedHost, now: datetime, keys: KeyStock) -> SharedKeys:
    """Return what the other control planes take over from the first one, as it was rendered."""
    rendered = {file.path: file.content for file in first.files}
    content = {each.path: rendered.get(each.path, b"") for each in shared.shared_paths(cluster)}
    described = tuple(
        SharedFile(
            each.path,
            shared.mode_of(each.path),
            sha256(content[each.path]),
            None if each.is_key else content[each.path],
        )
        for each in shared.shared_paths(cluster)
        if cluster.etcd.ours is not None or not each.key.startswith("external-etcd")
    )
    return SharedKeys(cluster, described, lambda: content, now, keys)


def described_artifacts(cluster: ResolvedCluster, architectures: Collection[str]) -> ArtifactView:
    """Return what the config's artifact source offers by the table of versions, without looking at it.

    Binaries have no content here: a rendered tree holds none.
    """
    if cluster.artifacts is ArtifactSource.PREINSTALLED:
        return ArtifactView()
    offered = {binary.name: LocalFile("", "", 0) for binary in BINARIES}
    return ArtifactView(
        cluster.artifacts,
        components=official.component_versions(cluster.kubernetes_version),
        architectures=tuple(architectures),
        binaries=dict.fromkeys(architectures, offered),
    )


def as_new(cluster: ResolvedCluster, facts: HostFacts) -> HostFacts:
    """Return the facts of the host without the files that its cluster membership brought."""
    ours = Inventory.parse(facts.inventory).files
    folders = (paths.KUBERNETES_DIR, paths.KUBELET_DIR, paths.STATE_DIR, cluster.certificates_dir)
    kept = {
        path: fact
        for path, fact in facts.files.items()
        if path not in ours and not path.startswith(tuple(f"{folder}/" for folder in folders))
    }
    return replace(facts, files=kept)


def _undiscovered(cluster: ResolvedCluster) -> JoinedCluster:
    """Return what the config alone says about the cluster that its workers join."""
    if cluster.control_planes:
        endpoint = cluster.endpoint
    else:
        endpoint = cluster.discovery.api_server_endpoint if cluster.discovery else ""
    return JoinedCluster(f"https://{endpoint}", b"", Secret(""), cluster.kubelet_config)


def _as_discovered(
    joined: JoinedCluster, objects: Iterable[Mapping[str, Any] | LeftOut], ca_pem: bytes
) -> JoinedCluster:
    """Return what workers will read from the cluster: the ConfigMaps that init writes."""
    data: dict[str, str] = {}
    for item in objects:
        if isinstance(item, Mapping) and item["kind"] == "ConfigMap" and item["metadata"]["name"] in _CONFIGS:
            data |= item["data"]
    return replace(
        joined,
        ca_pem=ca_pem,
        kubelet_config=yaml.load(data["kubelet"], yaml.CSafeLoader)
        if "kubelet" in data
        else joined.kubelet_config,
        cluster_configuration=yaml.load(data.get("ClusterConfiguration", "{}"), yaml.CSafeLoader),
    )
