"""Write the page of preflight checks."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

from kubeadm_py.preflight.context import Target
from kubeadm_py.preflight.run import catalogue
from pages import markdown

ARTIFACT_CHECKS = (
    (
        "FileExisting-NAME",
        "The host or the artifact source has the binary NAME; `cni-plugins` are one, and a warning where another pod "
        "network than ours may bring them.",
    ),
    ("BinaryVersion-NAME", "A NAME that somebody else installed has a version that does."),
    ("BundleVersion", "The bundle holds the config's Kubernetes version."),
    ("BundleArchitecture", "The bundle holds the host's architecture."),
    ("BundleImages", "The bundle or the host has every image that the host runs."),
)
"""What kubeadm_py/artifacts/check.py finds, at gate `host`, by the source that the config names."""


def preflight() -> str:
    """Describe every preflight check."""
    short = {
        Target.INIT: "init",
        Target.JOIN_CONTROL_PLANE: "join (control plane)",
        Target.JOIN_WORKER: "join",
        Target.ETCD_HOST: "etcd host",
    }
    rows = []
    for row in catalogue():
        targets = [name for target, name in short.items() if target in row.applies_to]
        where = "all" if len(targets) == len(Target) else ", ".join(targets)
        rows.append(
            (
                f"`{row.name}`",
                row.severity,
                row.gate,
                where,
                "yes" if row.kubeadm else "",
                "nodes" if row.tested == "node" else "saved answers",
                row.doc,
            )
        )
    heads = ("Check", "Severity", "Gate", "Where", "kubeadm's", "Tested on", "What holds where it is silent")
    return f"""# Preflight checks

`kubeadm-py preflight --config FILE` runs them all and changes nothing; `init` and `join` run them by themselves.
An error stops a run (exit code 3) unless it is named in `--ignore-preflight-errors`, or in a node registration's
`ignorePreflightErrors`: it is a warning then. `all` names all of them.

Gate `host` looks before anything is written anywhere. Gate `prepared` looks at container runtime, kubelet and images,
once they are installed. A check with the word "yes" under "kubeadm's" has kubeadm's name and severity. Checks were
tested with saved answers of hosts, those marked "nodes" on real nodes as well.

{markdown.table(heads, rows)}
Beside them, by the config's artifact source (all errors, gate `host`):

{markdown.table(("Check", "What holds where it is silent"), ((f"`{name}`", doc) for name, doc in ARTIFACT_CHECKS))}"""
