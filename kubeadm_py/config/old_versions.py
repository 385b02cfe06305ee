"""Name the older versions of kubeadm's format and say how a file of one becomes a file of today's."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from kubeadm_py.config.source import STDIN, STDIN_NAME

GROUP = "kubeadm.k8s.io"
MIGRATE = "kubeadm-py config migrate"
KUBEADM_OF = {
    "v1alpha1": "kubeadm up to 1.10",
    "v1alpha2": "kubeadm 1.11",
    "v1alpha3": "kubeadm 1.12",
    "v1beta1": "kubeadm 1.13 and 1.14",
    "v1beta2": "kubeadm 1.15 to 1.21",
    "v1beta3": "kubeadm 1.22 to 1.30",
}
"""The releases whose newest format each version was."""


def old_version(api: str) -> str:
    """Return the version of an older apiVersion of kubeadm's; empty for every other one."""
    group, _, version = api.rpartition("/")
    return version if group == GROUP and version in KUBEADM_OF else ""


def how_to_migrate(api: str, file: str) -> str:
    """Say of which releases an older apiVersion is, and the line that translates the file."""
    path = PurePath(file)
    new = "cluster-v1beta4.yaml" if file == STDIN_NAME else str(path.with_stem(f"{path.stem}-v1beta4"))
    old = STDIN if file == STDIN_NAME else file
    line = f"{MIGRATE} {shlex.join(['--old-config', old, '--new-config', new])}"
    return f"{api} is of {KUBEADM_OF[old_version(api)]}; translate the file: {line}"
