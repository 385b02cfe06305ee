"""Run `kubeadm-py version`."""

from __future__ import annotations

import json
import platform
import sys

from kubeadm_py import __version__
from kubeadm_py.errors import UsageError
from kubeadm_py.model import versions


def run(output: str) -> None:
    """Print the version."""
    if output == "short":
        sys.stdout.write(f"v{__version__}\n")
        return
    document = {
        "clientVersion": {"version": f"v{__version__}", "python": platform.python_version()},
        "kubernetesVersions": {minor: row.default_patch for minor, row in sorted(versions.RELEASES.items())},
    }
    if output == "json":
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif output == "yaml":
        import yaml

        yaml.safe_dump(document, sys.stdout, sort_keys=False)
    elif not output:
        known = ", ".join(row.default_patch for row in versions.RELEASES.values())
        sys.stdout.write(f"kubeadm-py v{__version__} (Kubernetes {known})\n")
    else:
        raise UsageError(f"--output {output!r}: one of short, json, yaml")
