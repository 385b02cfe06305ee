"""Run a gate of checks over hosts, and refuse where errors stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kubeadm_py.errors import KubeadmPyError, PreflightError
from kubeadm_py.model.findings import Finding, Gate, Severity
from kubeadm_py.model.node import Node
from kubeadm_py.model.words import plural
from kubeadm_py.preflight.context import Check, CheckContext
from kubeadm_py.preflight.table import CHECKS

IGNORE_ALL = "all"
_FIRST_AND_ALONE = frozenset({"IsPrivilegedUser", "Sudo"})
"""Without root the facts are full of holes, so nothing else is judged (kubeadm does the same)."""


class PreflightRefused(PreflightError):
    """Carry the findings of a gate that refused; `details` hold its errors, one host after the other."""

    def __init__(self, findings: Iterable[Finding], *, hosts: int = 0, gate: Gate = Gate.HOST) -> None:
        self.findings = tuple(findings)
        self.hosts = hosts
        self.gate = gate
        errors = [finding for finding in self.findings if finding.severity is Severity.ERROR]
        refusing = list(dict.fromkeys(finding.host for finding in errors))
        names = list(dict.fromkeys(finding.check for finding in errors))
        where = f"{len(refusing)} of {plural(hosts, 'host')}" if hosts > 1 else plural(len(refusing), "host")
        what = "; nothing was changed anywhere" if gate is Gate.HOST else "; the hosts are prepared, no more"
        super().__init__(
            f"preflight refused: {plural(len(errors), 'error')} on {where}{what}",
            details=[line for finding in errors for line in _lines(finding)],
            fix=f"mend that, or to go on anyway: --ignore-preflight-errors={','.join(names)}",
        )


def together(errors: Iterable[KubeadmPyError]) -> list[KubeadmPyError]:
    """Return errors with the hosts that a gate refused one by one in one refusal, where the first was."""
    found: dict[object, list[KubeadmPyError]] = {}
    for error in errors:
        same = error.gate if isinstance(error, PreflightRefused) else id(error)
        found.setdefault(same, []).append(error)
    return [_joined(each) for each in found.values()]


def _joined(errors: Sequence[KubeadmPyError]) -> KubeadmPyError:
    refused = [error for error in errors if isinstance(error, PreflightRefused)]
    if len(refused) < 2:
        return errors[0]
    findings = [finding for each in refused for finding in each.findings]
    return PreflightRefused(findings, hosts=sum(each.hosts for each in refused), gate=refused[0].gate)


def run(
    gate: Gate,
    contexts: Sequence[CheckContext],
    *,
    ignore: Collection[str] = (),
    checks: Sequence[Check] = CHECKS,
) -> list[Finding]:
    """Return what the checks of a gate find, host by host, in the order of the table.

    `ignore` (and each node's own ignorePreflightErrors) names checks, whatever the case, or `all`: their
    errors come back as warnings with `ignored`.
    """
    findings: list[Finding] = []
    for ctx in contexts:
        findings += ignoring(_of_host(gate, ctx, checks), ctx.node, ignore)
    return findings


def ignoring(findings: Iterable[Finding], node: Node, ignore: Collection[str] = ()) -> list[Finding]:
    """Turn the errors that are ignored by flag or by the node's config into warnings."""
    names = {name.strip().lower() for name in (*ignore, *node.ignore_preflight_errors)}
    return [
        replace(finding, severity=Severity.WARNING, ignored=True)
        if finding.severity is Severity.ERROR and names & {IGNORE_ALL, finding.check.lower()}
        else finding
        for finding in findings
    ]


def _of_host(gate: Gate, ctx: CheckContext, checks: Sequence[Check]) -> Iterator[Finding]:
    stop = False
    for check in checks:
        settled = ctx.member and not (check.moves and ctx.moving)
        if check.gate is not gate or ctx.target not in check.applies_to or (check.absence and settled):
            continue
        if stop and check.name not in _FIRST_AND_ALONE:
            return
        for finding in judge(check, ctx):
            stop = stop or check.name in _FIRST_AND_ALONE
            yield finding


def judge(check: Check, ctx: CheckContext) -> Iterator[Finding]:
    """Yield what one check finds on one host."""
    for hit in check.function(ctx):
        severity = hit.severity or check.severity
        if check.shared and ctx.facts.container:
            severity = Severity.WARNING
        yield Finding(hit.name or check.name, severity, ctx.node.name, hit.found, hit.fix)


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """Describe one check for the documentation."""

    name: str
    severity: Severity
    gate: Gate
    applies_to: tuple[str, ...]
    doc: str
    tested: str
    kubeadm: bool


def catalogue() -> tuple[CatalogueRow, ...]:
    """Return the table of checks, in the order of the report."""
    return tuple(
        CatalogueRow(
            check.name,
            check.severity,
            check.gate,
            tuple(sorted(check.applies_to)),
            check.doc,
            check.tested,
            check.kubeadm,
        )
        for check in CHECKS
    )


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.host}  {finding.check}  {finding.found}"
    if finding.fix:
        yield f"    {finding.fix}"
