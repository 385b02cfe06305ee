"""Record anew what real kubeadm says, and makes of the cases in tests/golden/kubeadm: `python -m oracle`."""

import argparse
import sys

from lab.process import LabError, say

from oracle import cases, help
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
    with Sandbox() as sandbox:
        for name in wanted or cases.names():
            say(name)
            try:
                record(cases.read(name), sandbox)
            except LabError as error:
                say(f"oracle: {error}")
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
