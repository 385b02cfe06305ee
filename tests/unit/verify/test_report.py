from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from kubeadm_py.errors import ExitCode
from kubeadm_py.verify.checks import Level, Problem
from kubeadm_py.verify.report import (
    CheckResult,
    Outcome,
    VerifyReport,
    summary,
    to_json,
    to_junit,
)


def result(check="files", outcome=Outcome.PASSED, host="cp1", level=Level.HOSTS, **more):
    return CheckResult(check, level, f"Title of {check}", host, outcome, 0.25, **more)


def report(*results, **more):
    fields = {"seconds": 1.5, "hosts": ("cp1", "w1"), **more}
    return VerifyReport("demo", Level.CLUSTER, False, results, **fields)


PROBLEM = Problem("mode is 0644\nand more", "0600", look="stat x")
FAILED = result(outcome=Outcome.FAILED, problems=(PROBLEM,), exit_code=ExitCode.DONE)
UNREACHED = result("reachable", Outcome.FAILED, exit_code=ExitCode.UNREACHABLE)
HOST_KEY = result("reachable", Outcome.FAILED, exit_code=ExitCode.HOST_KEY)
SKIPPED = result("dns", Outcome.SKIPPED, "", Level.CLUSTER, reason="one node")
SAID = result("network-policy", Outcome.SAID, "", Level.WORKLOADS, reason="not enforced")


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (report(result(), SKIPPED, SAID), ExitCode.DONE),
        (report(), ExitCode.VERIFY),
        (report(FAILED), ExitCode.VERIFY),
        (report(result(outcome=Outcome.ERROR, exit_code=ExitCode.FAILED)), ExitCode.VERIFY),
        (report(FAILED, UNREACHED), ExitCode.UNREACHABLE),
        (report(UNREACHED, HOST_KEY), ExitCode.HOST_KEY),
        (report(HOST_KEY, interrupted=True), ExitCode.INTERRUPTED),
        (report(result(), interrupted=True), ExitCode.INTERRUPTED),
    ],
)
def test_exit_codes(made, code):
    assert made.exit_code is code
    assert made.ok is (code is ExitCode.DONE)


def test_a_pass_is_one_line():
    assert summary(report(result(), result(host="w1"))) == ["✓ demo: 2 checks passed on 2 hosts  1.5s"]
    assert summary(report(result(), hosts=("cp1",)), unicode=False) == [
        "ok demo: 1 checks passed on 1 host  1.5s"
    ]


def test_a_failure_tells_where_what_and_what_to_type():
    elsewhere = Problem("is cordoned", host="w1")
    second = result(outcome=Outcome.FAILED, host="w1", problems=(elsewhere,))
    lines = summary(report(FAILED, second, SKIPPED, SKIPPED, SAID, notes=("removed x",)))
    assert lines == [
        "✗ demo: 2 of 3 checks failed on 2 hosts, 2 skipped  1.5s",
        "",
        "  files  Title of files",
        "    cp1: mode is 0644",
        "      and more",
        "      expected  0600",
        "      look      stat x",
        "    w1: is cordoned",
        "",
        "  skipped  dns, dns: one node",
        "  said     network-policy: not enforced",
        "  note     removed x",
    ]


def test_other_verdicts():
    assert summary(report(result(), interrupted=True))[0] == "✗ demo: interrupted after 1 checks  1.5s"
    assert summary(report())[0] == "✗ demo: no check was made  1.5s"


def test_json_holds_everything():
    document = json.loads(to_json(report(FAILED, SKIPPED, notes=("n",))))
    assert document["counts"] == {"passed": 0, "said": 0, "skipped": 1, "failed": 1, "error": 0}
    assert document["results"][0]["problems"] == [
        {"found": "mode is 0644\nand more", "expected": "0600", "host": "", "look": "stat x"}
    ]
    assert document["results"][1]["reason"] == "one node"
    assert (document["ok"], document["exitCode"], document["notes"]) == (False, 6, ["n"])


def test_junit_has_one_suite_a_level():
    broken = result("x", Outcome.ERROR, "", Level.CLUSTER, problems=(Problem("a\x00b<&>"),))
    root = ElementTree.fromstring(to_junit(report(FAILED, result(host="w1"), SKIPPED, broken, SAID)))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["hosts", "cluster", "workloads"]
    assert (suites["hosts"].get("tests"), suites["hosts"].get("failures")) == ("2", "1")
    assert (suites["cluster"].get("skipped"), suites["cluster"].get("errors")) == ("1", "1")
    assert suites["cluster"].find("testcase[@name='x']/error").get("message") == "a?b<&>"
    assert suites["cluster"].find("testcase/skipped").get("message") == "one node"
    assert suites["workloads"].find("testcase/system-out").text == "not enforced"
    assert suites["hosts"].find("testcase[@name='files[cp1]']").get("classname") == "verify.hosts"
