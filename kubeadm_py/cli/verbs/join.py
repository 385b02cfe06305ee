"""Run `kubeadm-py join`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import reading, secrets_given
from kubeadm_py.cli.verbs.node_name import renamed
from kubeadm_py.config.complete import complete
from kubeadm_py.config.flags import at_hosts, from_init_flags, from_join_flags, ignored_by_flag
from kubeadm_py.config.live import adopt
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.phases import JOIN, parts
from kubeadm_py.transport.connect import Approached

if TYPE_CHECKING:
    from kubeadm_py.engine.events import Event


KNOW_ENOUGH = frozenset(
    {
        "kubelet-wait-bootstrap",
        "wait-control-plane",
        "control-plane-join",
        "control-plane-join/mark-control-plane",
    }
)
"""Phases that ask nothing of the cluster: a host whose kubelet has started has all that they need."""


def member(hosts: Sequence[str], phases: Sequence[str], flags: Mapping[str, Any]) -> ResolvedCluster:
    """Return hosts that are in their cluster already, or about to be, for phases that come last."""
    described = {name: flags.get(name, "") for name in ("node-name", "cri-socket")}
    cluster = from_init_flags(
        hosts=hosts, **{name.replace("-", "_"): value for name, value in described.items()}
    )
    worker = tuple(phases) == ("kubelet-wait-bootstrap",) and not flags.get("control-plane")
    role = Role.WORKER if worker else Role.CONTROL_PLANE
    return replace(cluster, nodes=tuple(replace(node, role=role) for node in cluster.nodes))


def with_own_admin(
    flags: Mapping[str, Any], hosts: Sequence[str], phases: Sequence[str], admin_conf: str = paths.ADMIN_CONF
) -> Mapping[str, Any]:
    """Let a control plane's phases alone find the cluster by the machine's admin.conf, as kubeadm does.

    Raise UsageError for phases that can be told of no cluster, where there is none.
    """
    if not phases or flags.get("discovery-file"):
        return flags
    if flags.get("control-plane") and not hosts and Path(admin_conf).exists():
        return {**flags, "discovery-file": admin_conf}
    asked = [phase for phase in JOIN if phase.name in phases]
    if not any(
        "token" in part.flags.split() for phase in asked for part in (phase, *parts(JOIN, phase.name))
    ):
        raise UsageError(
            f"join phase {' '.join(phases).replace('/', ' ')}: which cluster is it about?",
            fix="name it: --config FILE; on the machine itself, after join phase control-plane-prepare "
            f"kubeconfig, --control-plane is enough: {admin_conf} tells",
        )
    return flags


def run(
    display: Display,
    *,
    endpoint: str,
    config: str,
    hosts: Sequence[str],
    flags: Mapping[str, Any],
    ignore: Sequence[str],
    skip_phases: Sequence[str],
    only_phases: Sequence[str] = (),
    dry_run: bool,
    allow_unknown_fields: bool,
) -> None:
    """Join hosts of the config, or the hosts that flags describe."""
    reading.refuse_mixing(config, [*flags, *(["API:PORT"] if endpoint else [])])
    loaded: Loaded | None = None
    if config:
        loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields, joining=True)
        cluster = renamed(loaded, flags.get("node-name", ""))
        if not loaded.has_cluster_document:
            cluster = at_hosts(cluster, hosts, joining=True)
        targets = _targets(cluster, hosts, loaded)
    elif only_phases and set(only_phases) <= KNOW_ENOUGH and not endpoint:
        cluster = member(hosts, only_phases, flags)
        targets = list(cluster.nodes)
    else:
        if not endpoint:
            flags = with_own_admin(flags, hosts, only_phases)
        cluster = from_join_flags(endpoint, hosts=hosts, **_tokens(flags))
        targets = list(cluster.nodes)
    known = loaded is not None and loaded.has_cluster_document
    discovery_file = cluster.discovery.file if cluster.discovery and not known else ""
    ignored = ignored_by_flag(cluster, ignore)
    dry_run = dry_run or cluster.join_dry_run
    joining = {node.name for node in targets}
    helpers = [node for node in cluster.control_planes if node.name not in joining]
    connect = Approached([*targets, *helpers[:1]])
    # Loaded while the connections are made: each takes about as long as the other.
    from kubeadm_py.cli.verbs import common
    from kubeadm_py.plan.joining import join
    from kubeadm_py.plan.run import Options, running

    options = Options(ignored, tuple(skip_phases), dry_run, tuple(only_phases))
    with common.a_run("join", cluster, display, options, config, connect=connect) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=targets) as end:
            waiting: list[str] = []
            a_run.bus.subscribe(lambda event: waiting.extend(_without_network(event)))
            report = join.join(
                a_run,
                targets,
                complete=None if known else complete,
                adopt=adopt,
                discovery_file=_discovery(discovery_file),
            )
            if dry_run:
                from kubeadm_py.cli.verbs import plans

                end.verdict = plans.show_plan(a_run, report.plan)
                return
            if only_phases:
                from kubeadm_py.cli.verbs import plans

                end.verdict = plans.alone("join", only_phases, list(a_run.sessions), report.changed)
                return
            names = ", ".join(a_run.sessions)
            if report.changed:
                ready = f" and {'is' if len(targets) == 1 else 'are'} Ready" if not waiting else ""
                end.verdict = f"{names} joined the cluster{ready}"
            else:
                end.verdict = f"{names} joined before: nothing changed"
            if config:
                end.next = (
                    f"export KUBECONFIG=$(kubeadm-py kubeconfig get --config {config} --path)",
                    "kubectl get nodes",
                    f"kubeadm-py verify --config {config}",
                )


def _without_network(event: Event) -> list[str]:
    """Return the node that an event says waits for a pod network."""
    from kubeadm_py.engine.events import Notice
    from kubeadm_py.steps.nodes.waits import NO_NETWORK

    return [event.host] if isinstance(event, Notice) and event.text.endswith(NO_NETWORK) else []


def _targets(cluster: ResolvedCluster, hosts: Sequence[str], loaded: Loaded) -> list[Node]:
    if not loaded.has_cluster_document:
        return list(cluster.nodes)
    targets = reading.choose(cluster, hosts)
    if not targets:
        raise UsageError(
            "--host is missing: which hosts of the file are to join?",
            fix="hosts of the file: " + " ".join(f"--host {node.name}" for node in cluster.nodes[1:]),
        )
    names = {node.name for node in targets}
    control_planes = {node.name for node in cluster.control_planes}
    if control_planes and control_planes <= names and cluster.discovery is None:
        raise UsageError(
            f"--host {', '.join(sorted(control_planes))}: no control plane of the file is left to join",
            fix="the first one begins the cluster: kubeadm-py init",
        )
    return targets


def _tokens(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Rename kubeadm's flags to what the config layer calls them, and read the token's file."""
    renamed = {
        "discovery-token-ca-cert-hash": "ca_cert_hashes",
        "discovery-token-unsafe-skip-ca-verification": "unsafe_skip_ca_verification",
    }
    chosen = {renamed.get(name, name.replace("-", "_")): value for name, value in flags.items()}
    return secrets_given.read(chosen, "token", "certificate_key")


def _discovery(file: str) -> bytes | None:
    if not file:
        return None
    from kubeadm_py.cli.verbs import discovery_file

    return discovery_file.read(file)
