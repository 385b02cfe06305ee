"""Report what an artifact source cannot give a host, before any host is touched."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubeadm_py.artifacts import plan
from kubeadm_py.artifacts.plan import ArtifactView, BinaryState, Decision
from kubeadm_py.model import binaries, paths
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.findings import Finding, Severity
from kubeadm_py.model.node import Node

_BRINGS_NOTHING = "artifacts.source: preinstalled brings nothing"
_OTHER_SOURCE = "have it brought: spec.artifacts.source: official or bundle, in a Cluster document"


def artifact_findings(
    cluster: ResolvedCluster,
    node: Node,
    facts: HostFacts,
    artifacts: ArtifactView,
    *,
    recorded: Collection[str] = (),
    addon_images: Sequence[str] = (),
) -> list[Finding]:
    """List what is missing or unsuitable on a host and cannot be sent to it.

    Checks: BundleVersion, BundleArchitecture, BundleImages, FileExisting-NAME, BinaryVersion-NAME; all CNI
    plugins are one NAME.
    """

    def error(check: str, found: str, fix: str) -> Finding:
        return Finding(check, Severity.ERROR, node.name, found, fix)

    if artifacts.source is ArtifactSource.BUNDLE:
        held = artifacts.components.get(binaries.KUBERNETES, "")
        if held and held != str(cluster.kubernetes_version):
            return [
                error(
                    "BundleVersion",
                    f"the bundle holds Kubernetes {held}, the config asks for {cluster.kubernetes_version}",
                    f"set kubernetesVersion: {held}, or name a bundle of {cluster.kubernetes_version}",
                )
            ]
        if facts.architecture not in artifacts.architectures:
            held = ", ".join(artifacts.architectures)
            return [
                error(
                    "BundleArchitecture",
                    f"the host is {facts.architecture}; the bundle holds {held}",
                    f"name a bundle that holds {facts.architecture} too",
                )
            ]
    states = plan.decide_binaries(cluster, node, facts, artifacts, recorded)
    wanting = [
        state
        for state in states
        if state.decision is Decision.UNSUITABLE
        or (state.decision is Decision.MISSING and not _done_without(state, artifacts))
    ]
    plugins = [state for state in wanting if _is_missing_plugin(state)]
    found = [error(*_explain(state, artifacts)) for state in wanting if state not in plugins]
    if plugins:
        # They come and go together: eight findings would hide the others.
        check, what, fix = _explain_plugins(plugins, artifacts)
        # A pod network that is not of ours may bring its own.
        others = artifacts.source is ArtifactSource.PREINSTALLED and not cluster.addons
        severity = Severity.WARNING if others else Severity.ERROR
        found.append(Finding(check, severity, node.name, what, fix))
    if artifacts.source is ArtifactSource.BUNDLE:
        needed = plan.images_for(cluster, node, addon_images)
        offered = artifacts.images.get(facts.architecture, {})
        absent = [
            reference
            for reference in plan.image_needs(needed, facts, artifacts).absent
            if reference not in offered
        ]
        if absent:
            found.append(
                error(
                    "BundleImages",
                    f"neither the bundle nor the host has {', '.join(absent)}",
                    f"add them to the bundle's {artifacts.layout}, or import them on the host",
                )
            )
    return found


def _done_without(state: BinaryState, artifacts: ArtifactView) -> bool:
    return state.binary.optional and artifacts.source is ArtifactSource.PREINSTALLED


def _is_missing_plugin(state: BinaryState) -> bool:
    return state.decision is Decision.MISSING and state.binary.component == binaries.CNI_PLUGINS


def _explain_plugins(missing: Sequence[BinaryState], artifacts: ArtifactView) -> tuple[str, str, str]:
    check = f"FileExisting-{binaries.CNI_PLUGINS}"
    names = ", ".join(state.binary.name for state in missing)
    lacking = f"{paths.CNI_BIN_DIR} lacks the CNI plugins {names}"
    if artifacts.source is ArtifactSource.PREINSTALLED:
        return (
            check,
            f"{lacking}, and {_BRINGS_NOTHING}",
            f"install the CNI plugins there, or {_OTHER_SOURCE}",
        )
    return (
        check,
        f"{lacking}, and the {artifacts.source} has none",
        f"install them there, or add component {binaries.CNI_PLUGINS} to the bundle",
    )


def _explain(state: BinaryState, artifacts: ArtifactView) -> tuple[str, str, str]:
    name = state.binary.name
    if state.decision is Decision.UNSUITABLE:
        return (
            f"BinaryVersion-{name}",
            f"{state.path} is {state.version} and not ours; needed: {plan.SUITABLE[name]}",
            f"upgrade the package that brought {name}, or remove it so that kubeadm-py installs its own",
        )
    if artifacts.source is ArtifactSource.PREINSTALLED:
        return (
            f"FileExisting-{name}",
            f"{name} is not on this host, and {_BRINGS_NOTHING}",
            f"install {name}, or {_OTHER_SOURCE}",
        )
    return (
        f"FileExisting-{name}",
        f"{name} is neither on this host nor in the {artifacts.source}",
        f"install {name} on the host, or add component {state.binary.component} to the bundle",
    )
