"""Report what an artifact source cannot give a host, before any host is touched."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubeadm_py.artifacts import plan
from kubeadm_py.artifacts.plan import ArtifactView, BinaryState, Decision
from kubeadm_py.model import binaries
from kubeadm_py.model.cluster import ArtifactSource, Node, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.findings import Finding, Severity


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

    Checks: BundleVersion, BundleArchitecture, BundleImages, FileExisting-NAME, BinaryVersion-NAME.
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
    found = [
        error(*_explain(state, artifacts))
        for state in plan.decide_binaries(cluster, node, facts, artifacts, recorded)
        if state.decision in (Decision.MISSING, Decision.UNSUITABLE)
    ]
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
            f"{name} is not on this host, and artifacts.source is preinstalled",
            f"install {name}, or choose spec.artifacts.source: official or bundle",
        )
    return (
        f"FileExisting-{name}",
        f"{name} is neither on this host nor in the {artifacts.source}",
        f"install {name} on the host, or add component {state.binary.component} to the bundle",
    )
