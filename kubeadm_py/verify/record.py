"""Record how each check ends, and keep checks from running whose ground is already known to be broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.verify.checks import SAID, Check, CheckError, Problem, check_of
from kubeadm_py.verify.report import CheckResult, Outcome

Listener = Callable[[CheckResult], None]
_LAST_LINES = 3


class Recorder:
    """Collect results in the order in which the checks end."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.results: list[CheckResult] = []
        self.broken: list[str] = []
        """What kept pytest itself from working: import errors, internal errors."""
        self.interrupted = False
        self._listener = listener
        self._seconds: dict[str, float] = {}
        self._causes: dict[tuple[str, str], str] = {}

    def cause(self, check: Check, host: str) -> str:
        """Return why `check` cannot tell anything on `host`: a check it needs that failed; else nothing.

        A check of one host asks what happened on that host; a check of the cluster asks all hosts.
        """
        for needed in check.needs:
            for (identity, where), reason in self._causes.items():
                if identity == needed and (not host or not where or where == host):
                    return reason
        return ""

    def take(self, item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
        """Take one phase of a test."""
        check = check_of(item)
        if check is None:
            return
        seconds = self._seconds.pop(item.nodeid, 0.0) + call.duration
        if report.when == "setup" and report.passed:
            self._seconds[item.nodeid] = seconds
            return
        if report.when == "teardown" and report.passed:
            return
        result = _result(check, host_of(item), call, report, seconds)
        if result.bad:
            where = f" on {result.host}" if result.host else ""
            self._causes[(check.id, result.host)] = f"{check.id} failed{where}"
        elif result.outcome is Outcome.SKIPPED and (cause := self.cause(check, result.host)):
            self._causes[(check.id, result.host)] = cause
        self.results.append(result)
        if self._listener is not None:
            self._listener(result)

    def pytest_keyboard_interrupt(self) -> None:
        """Note that a person stopped the run."""
        self.interrupted = True

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Note that pytest itself failed."""
        self.broken.append(str(excrepr))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a part of the suite that cannot be loaded."""
        if report.failed:
            self.broken.append(report.longreprtext)


def host_of(item: pytest.Item) -> str:
    """Return the name of the node that a test is about; empty for one of the whole cluster."""
    callspec = getattr(item, "callspec", None)
    node = callspec.params.get("node") if callspec is not None else None
    return node.name if node is not None else ""


def _result(
    check: Check, host: str, call: pytest.CallInfo[Any], report: pytest.TestReport, seconds: float
) -> CheckResult:
    def result(outcome: Outcome, **more: Any) -> CheckResult:
        return CheckResult(check.id, check.level, check.title, host, outcome, seconds, **more)

    if report.skipped:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        return result(Outcome.SKIPPED, reason=text.removeprefix("Skipped: "))
    if report.passed:
        said = [str(value) for key, value in report.user_properties if key == SAID]
        return result(Outcome.SAID, reason="; ".join(said)) if said else result(Outcome.PASSED)
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, CheckError):
        return result(Outcome.FAILED, problems=error.problems)
    if isinstance(error, KubeadmPyError):
        found = "\n".join([error.summary, *error.details])
        problem = Problem(found, host=error.host or host, look=error.fix)
        return result(Outcome.FAILED, problems=(problem,), exit_code=error.exit_code)
    lines = [line for line in report.longreprtext.splitlines() if line.strip()]
    problem = Problem("the check itself broke: " + " | ".join(lines[-_LAST_LINES:]), host=host)
    return result(Outcome.ERROR, problems=(problem,), exit_code=ExitCode.FAILED)
