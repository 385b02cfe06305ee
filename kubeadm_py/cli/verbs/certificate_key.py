"""Run `kubeadm-py certs certificate-key`."""

from __future__ import annotations

import sys

from kubeadm_py.pki import shared


def run() -> None:
    """Print a random key."""
    sys.stdout.write(shared.generate_key().text() + "\n")
