"""Hold what a verification found and write it as text, JSON and JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

from kubeadm_py.errors import EXIT_PRECEDENCE, ExitCode
from kubeadm_py.verify.checks import Level, Problem

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Outcome(StrEnum):
    """Name how a check ended; `said` passed and has something to say."""

    PASSED = "passed"
    SAID = "said"
    SKIPPED = "skipped"
    FAILED = "failed"
    ERROR = "error"
    """The check itself could not be made."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Hold how one check ended on one host; `host` is empty for a check of the whole cluster."""

    check: str
    level: Level
    title: str
    host: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    """Why it was skipped, or what it has to say."""
    problems: tuple[Problem, ...] = ()
    exit_code: ExitCode = ExitCode.DONE

    @property
    def bad(self) -> bool:
        """Say whether this result makes the verification fail."""
        return self.outcome in (Outcome.FAILED, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Hold a whole verification."""

    cluster: str
    level: Level
    read_only: bool
    results: tuple[CheckResult, ...]
    seconds: float
    hosts: tuple[str, ...] = ()
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    """What happened besides the checks: namespaces removed, or left to remove by hand."""

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """Return the results that make the verification fail."""
        return tuple(result for result in self.results if result.bad)

    @property
    def ok(self) -> bool:
        """Say whether every check that was made passed, and at least one was."""
        return not self.interrupted and not self.failures and bool(self.results)

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of `verify`: a host that could not be reached outranks what was found."""
        if self.ok:
            return ExitCode.DONE
        codes = {result.exit_code for result in self.failures}
        if self.interrupted:
            codes.add(ExitCode.INTERRUPTED)
        special = (ExitCode.INTERRUPTED, ExitCode.HOST_KEY, ExitCode.UNREACHABLE)
        return next((code for code in EXIT_PRECEDENCE if code in special and code in codes), ExitCode.VERIFY)

    def count(self, *outcomes: Outcome) -> int:
        """Count the results that ended in one of these ways."""
        return sum(result.outcome in outcomes for result in self.results)


def to_json(report: VerifyReport) -> str:
    """Return the report as one JSON document."""
    document: dict[str, Any] = {
        "cluster": report.cluster,
        "level": report.level.value,
        "readOnly": report.read_only,
        "ok": report.ok,
        "exitCode": int(report.exit_code),
        "interrupted": report.interrupted,
        "seconds": round(report.seconds, 2),
        "hosts": list(report.hosts),
        "counts": {outcome.value: report.count(outcome) for outcome in Outcome},
        "notes": list(report.notes),
        "results": [_result_document(result) for result in report.results],
    }
    return json.dumps(document, indent=2) + "\n"


def _result_document(result: CheckResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "check": result.check,
        "level": result.level.value,
        "title": result.title,
        "host": result.host,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 3),
    }
    if result.reason:
        document["reason"] = result.reason
    if result.problems:
        document["problems"] = [asdict(problem) for problem in result.problems]
    return document


def to_junit(report: VerifyReport) -> str:
    """Return the report as JUnit XML: one test suite a level, one test case a result."""
    root = ElementTree.Element("testsuites", name=f"kubeadm-py verify {report.cluster}")
    for level in Level:
        results = [result for result in report.results if result.level is level]
        if not results:
            continue
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=level.value,
            tests=str(len(results)),
            failures=str(sum(result.outcome is Outcome.FAILED for result in results)),
            errors=str(sum(result.outcome is Outcome.ERROR for result in results)),
            skipped=str(sum(result.outcome is Outcome.SKIPPED for result in results)),
            time=f"{sum(result.seconds for result in results):.3f}",
        )
        for result in results:
            _add_case(suite, result)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ElementTree.Element, result: CheckResult) -> None:
    name = f"{result.check}[{result.host}]" if result.host else result.check
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"verify.{result.level.value}", name=name, time=f"{result.seconds:.3f}"
    )
    if result.outcome is Outcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=_clean(result.reason))
    elif result.bad:
        tag = "failure" if result.outcome is Outcome.FAILED else "error"
        body = "\n".join("\n".join(problem_lines(problem)) for problem in result.problems)
        first = result.problems[0].found if result.problems else result.reason
        ElementTree.SubElement(case, tag, message=_clean(first)).text = _clean(body)
    elif result.reason:
        ElementTree.SubElement(case, "system-out").text = _clean(result.reason)


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("?", text)


def problem_lines(problem: Problem) -> list[str]:
    """Return a problem as lines: what was found, then what was expected and where to look."""
    lines = [problem.found]
    if problem.expected:
        lines.append(f"expected  {problem.expected}")
    if problem.look:
        lines.append(f"look      {problem.look}")
    return lines


def summary(report: VerifyReport, *, unicode: bool = True) -> list[str]:
    """Return the report as lines for a person: the verdict first, then each failure with what to type."""
    good, bad = ("✓", "✗") if unicode else ("ok", "FAILED")
    made = report.count(Outcome.PASSED, Outcome.SAID, Outcome.FAILED, Outcome.ERROR)
    skipped = report.count(Outcome.SKIPPED)
    hosts = f"{len(report.hosts)} host" + ("" if len(report.hosts) == 1 else "s")
    tail = f", {skipped} skipped" if skipped else ""
    if report.ok:
        verdict = f"{good} {report.cluster}: {made} checks passed on {hosts}{tail}"
    elif report.interrupted:
        verdict = f"{bad} {report.cluster}: interrupted after {made} checks"
    elif not report.results:
        verdict = f"{bad} {report.cluster}: no check was made"
    else:
        verdict = f"{bad} {report.cluster}: {len(report.failures)} of {made} checks failed on {hosts}{tail}"
    lines = [f"{verdict}  {report.seconds:.1f}s"]
    said = ""
    for result in report.failures:
        if result.check != said:
            lines += ["", f"  {result.check}  {result.title}"]
            said = result.check
        for problem in result.problems:
            lines += _indented(problem, problem.host or result.host)
    reasons = [result for result in report.results if result.reason and not result.bad]
    if reasons:
        lines.append("")
        lines += _grouped(reasons)
    lines += [f"  note     {note}" for note in report.notes]
    return lines


def _indented(problem: Problem, host: str) -> list[str]:
    first, *rest = problem_lines(problem)
    head = f"{host}: {first}" if host else first
    split = head.splitlines() or [""]
    return [f"    {split[0]}", *(f"      {line}" for line in [*split[1:], *rest])]


def _grouped(results: Sequence[CheckResult]) -> list[str]:
    """Say a reason once for all checks that share it."""
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for result in results:
        name = f"{result.check}[{result.host}]" if result.host else result.check
        groups.setdefault((result.outcome, result.reason), []).append(name)
    return [
        f"  {outcome.value:<8} {', '.join(names)}: {reason}" for (outcome, reason), names in groups.items()
    ]
