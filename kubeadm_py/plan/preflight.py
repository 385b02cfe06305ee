"""Run a gate of preflight checks over the hosts of a run, and refuse where it must be."""

from __future__ import annotations

from kubeadm_py.artifacts.check import artifact_findings
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.model.findings import Finding, Gate, Severity
from kubeadm_py.plan.run import Run
from kubeadm_py.preflight import run as preflight
from kubeadm_py.preflight.context import CheckContext

MORE_GATES = {Gate.HOST: artifact_findings}


def contexts(run: Run, names: list[str], member_of: str = "") -> list[CheckContext]:
    """Return what the checks look at; a host whose CA is the cluster's own is a member of it."""
    all_facts = {name: session.facts for name, session in run.sessions.items()}
    return [
        CheckContext(
            cluster=run.cluster,
            node=run.sessions[name].node,
            facts=run.sessions[name].facts,
            verb=run.verb,
            member=is_member(run, name, member_of),
            all_facts=all_facts,
        )
        for name in names
    ]


def is_member(run: Run, name: str, member_of: str) -> bool:
    """Say whether a host belongs to this cluster already (design rule 4: by the CA's public key).

    For init the host is a member when our own inventory says so: its CA is the cluster's.
    """
    session = run.sessions[name]
    ours = session.facts.ca_public_key_sha256
    if not ours:
        return False
    if member_of:
        return ours == member_of
    return session.inventory.cluster == run.cluster.name


def gate(
    run: Run,
    which: Gate,
    names: list[str],
    *,
    artifacts: ArtifactView,
    addon_images: list[str],
    member_of: str = "",
) -> None:
    """Run one gate; raise PreflightRefused where an error stands that nobody ignores."""
    found = preflight.run(which, contexts(run, names, member_of), ignore=run.options.ignore_preflight_errors)
    if which is Gate.HOST:
        for name in names:
            session = run.sessions[name]
            found += preflight.ignoring(
                artifact_findings(
                    run.cluster,
                    session.node,
                    session.facts,
                    artifacts,
                    recorded=session.inventory.files,
                    addon_images=addon_images,
                ),
                session.node,
                run.options.ignore_preflight_errors,
            )
    run.report_findings(found)
    refuse(found)


def refuse(found: list[Finding]) -> None:
    """Raise PreflightRefused where an error stands."""
    if any(finding.severity is Severity.ERROR for finding in found):
        raise preflight.PreflightRefused(found)
