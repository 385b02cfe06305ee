"""Run a gate of preflight checks over the hosts of a run, and refuse where it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import requirements
from kubeadm_py.artifacts.check import artifact_findings
from kubeadm_py.artifacts.plan import ArtifactView, Decision, decide_binaries
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.parse import public_key_sha256
from kubeadm_py.model import paths
from kubeadm_py.model.findings import Finding, Gate, Severity
from kubeadm_py.model.host_needs import HostRequirements
from kubeadm_py.model.node import Role
from kubeadm_py.plan.reach import before_the_cluster
from kubeadm_py.plan.run import Run
from kubeadm_py.preflight import run as preflight
from kubeadm_py.preflight.context import CheckContext, Reach


def contexts(
    run: Run,
    names: Sequence[str],
    member_of: str = "",
    *,
    verb: str = "",
    reach: Mapping[str, Mapping[str, Reach]] | None = None,
    try_endpoint: bool = False,
    moving: bool = False,
) -> list[CheckContext]:
    """Return what the checks look at; a host whose CA is the cluster's own is a member of it.

    `verb` (`init` or `join`) says how the hosts come into the cluster; by default as the run's verb does it.
    `try_endpoint` has the first host of a cluster that is not there yet try who answers at its endpoint, or
    of one whose endpoint is `moving`.
    """
    verb = verb or run.verb
    all_facts = {name: session.facts for name, session in run.sessions.items()}
    found: list[CheckContext] = []
    needs = requirements.of(addons.resolve(run.cluster))
    for name in names:
        node, member = run.sessions[name].node, is_member(run, name, member_of)
        # The vip is everybody's: one host tries it. A cluster that is joined holds its own.
        first = try_endpoint and verb == "init" and not found and (moving or not member)
        vip, balancer = before_the_cluster(run, name) if first else (None, None)
        found.append(
            CheckContext(
                cluster=run.cluster.at(node),
                node=node,
                facts=run.sessions[name].facts,
                verb=verb,
                member=member,
                all_facts=all_facts,
                reach=(reach or {}).get(name, {}),
                # Hosts of etcd alone run no pod of any add-on.
                needs=HostRequirements() if node.role is Role.ETCD else needs,
                vip_answers=vip,
                balancer_answers=balancer,
                moving=moving,
            )
        )
    return found


def is_member(run: Run, name: str, member_of: str) -> bool:
    """Say whether a host belongs to this cluster already (design rule 4: by the CA's public key).

    For init the host is a member when our own inventory says so: its CA is the cluster's.
    """
    ours = ca_public_key(run, name)
    if not ours:
        return False
    if member_of and run.sessions[name].node.role is not Role.ETCD:
        return ours == member_of
    return run.sessions[name].inventory.cluster == run.cluster.name


def ca_public_key(run: Run, name: str) -> str:
    """Return the hex sha256 of a host's CA's public key, from where this cluster's config keeps the CA."""
    session = run.sessions[name]
    folder = run.cluster.certificates_dir
    path = {
        Role.CONTROL_PLANE: f"{folder}/ca.crt",
        Role.WORKER: run.cluster.ca_cert_path,
        # Of the cluster beside it, such a host knows nothing.
        Role.ETCD: f"{folder}/etcd/ca.crt",
    }[session.node.role]
    if path == f"{paths.PKI_DIR}/ca.crt":
        return session.facts.ca_public_key_sha256
    return public_key_sha256(session.facts.files.get(path))


def gate(
    run: Run,
    which: Gate,
    names: Sequence[str],
    *,
    artifacts: ArtifactView,
    addon_images: list[str],
    member_of: str = "",
    reach: Mapping[str, Mapping[str, Reach]] | None = None,
) -> None:
    """Run one gate; raise PreflightRefused where an error stands that nobody ignores."""
    of = contexts(run, names, member_of, reach=reach, try_endpoint=which is Gate.HOST)
    found = findings(run, which, of, artifacts=artifacts, addon_images=addon_images)
    run.report_findings(found)
    refuse(found, hosts=len(names), gate=which)


def findings(
    run: Run,
    which: Gate,
    of: Sequence[CheckContext],
    *,
    artifacts: ArtifactView,
    addon_images: list[str],
) -> list[Finding]:
    """Return what one gate finds; gate `host` looks at the artifact source as well."""
    ignore = run.options.ignore_preflight_errors
    found = preflight.run(which, of, ignore=ignore)
    if which is Gate.HOST:
        for ctx in of:
            lacking = artifact_findings(
                run.cluster,
                ctx.node,
                ctx.facts,
                artifacts,
                recorded=run.sessions[ctx.node.name].inventory.files,
                addon_images=addon_images,
            )
            found += preflight.ignoring(lacking, ctx.node, ignore)
    return found


def survey(
    run: Run, *, artifacts: ArtifactView, addon_images: list[str]
) -> tuple[list[Finding], tuple[str, ...]]:
    """Return what both gates find on all hosts that were looked at, as init and joins would meet them.

    The second value names the hosts whose gate `prepared` has to wait: their runtime and kubelet are still
    to be installed from the artifact source.
    """
    first = next((node.name for node in run.cluster.control_planes), "")
    member_of = ca_public_key(run, first) if first in run.sessions else ""
    found: list[Finding] = []
    waiting: list[str] = []
    for name, session in run.sessions.items():
        # The first control plane vouches for itself by its inventory, the others by its CA.
        is_first = name == first
        verb = "init" if is_first else "join"
        of = contexts(run, [name], "" if is_first else member_of, verb=verb, try_endpoint=True)
        found += findings(run, Gate.HOST, of, artifacts=artifacts, addon_images=addon_images)
        decided = decide_binaries(
            run.cluster, session.node, session.facts, artifacts, session.inventory.files.keys()
        )
        if any(state.decision is Decision.SEND for state in decided):
            waiting.append(name)
        else:
            found += findings(run, Gate.PREPARED, of, artifacts=artifacts, addon_images=addon_images)
    return found, tuple(waiting)


def refuse_taken_names(strangers: Iterable[str], is_taken: Callable[[str], bool]) -> None:
    """Refuse a host whose name a Ready node of the cluster has already (contract 8.3)."""
    for name in strangers:
        if is_taken(name):
            raise KubeadmPyError(
                f"the cluster has a Ready node called {name} already",
                host=name,
                fix=f"give this host another name, or remove that node: kubectl delete node {name}",
            )


def refuse(found: Sequence[Finding], *, hosts: int, gate: Gate) -> None:
    """Raise PreflightRefused where an error stands."""
    if any(finding.severity is Severity.ERROR for finding in found):
        raise preflight.PreflightRefused(found, hosts=hosts, gate=gate)
