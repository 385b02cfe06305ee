"""Record anew what real kubeadm says, and makes of the cases in tests/golden/kubeadm: `python -m oracle`.

Cases of another release of kubeadm are recorded only where they are named: that release is built first.
"""

import argparse
import sys
from collections.abc import Iterable

from lab.process import LabError, say

from oracle import cases, help, output
from oracle.cases import Case
from oracle.record import record
from oracle.sandbox import Sandbox


def main() -> int:
    """Record the named cases, or all, and return the exit code."""
    parser = argparse.ArgumentParser(prog="oracle", description="Record what real kubeadm makes of cases.")
    folders = "folders of tests/golden/kubeadm (default: all)"
    parser.add_argument("cases", nargs="*", metavar="CASE", help=folders)
    wanted = parser.parse_args().cases
    failed = 0
    if not wanted:
        say("help")
        help.main()
        say("output")
        output.main()
    by_release: dict[str, list[Case]] = {}
    for case in map(cases.read, wanted or cases.names()):
        if wanted or not case.kubeadm:
            by_release.setdefault(case.kubeadm, []).append(case)
    for release, found in by_release.items():
        failed += _record(release, found)
    return 1 if failed else 0


def _record(release: str, found: Iterable[Case]) -> int:
    """Record cases of one release and return how many failed."""
    failed = 0
    with Sandbox(release) as sandbox:
        for case in found:
            say(case.name)
            try:
                record(case, sandbox)
            except LabError as error:
                say(f"oracle: {error}")
                failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
