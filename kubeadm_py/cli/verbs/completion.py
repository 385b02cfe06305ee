"""Run `kubeadm-py completion`."""

from __future__ import annotations

import sys

from kubeadm_py.cli.shells import SCRIPTS
from kubeadm_py.errors import UsageError


def run(shell: str) -> None:
    """Print the script of a shell; it asks kubeadm-py itself what can follow."""
    if shell not in SCRIPTS:
        raise UsageError(f"completion {shell!r}: one of {', '.join(SCRIPTS)}")
    sys.stdout.write(SCRIPTS[shell])
