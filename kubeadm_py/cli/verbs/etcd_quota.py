"""Look whether etcd has room to write: at the quota of its database."""

from __future__ import annotations

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs.etcd_host import EtcdSurvey, mebibytes
from kubeadm_py.kube import etcd

NEARLY_FULL = 0.8
"""The part of its quota from which the size of a member's database is worth a warning."""


def used_up(found: EtcdSurvey) -> bool:
    """Say whether etcd takes no writes for want of room."""
    return any(etcd.out_of_quota(found.why(member)) for member in found.members)


def warn(found: EtcdSurvey, mend: str) -> None:
    """Tell of databases that have reached their quota or soon will; `mend` says what helps."""
    if used_up(found):
        telling.warn(f"etcd has used up its quota and takes no writes; to make room: {mend}")
        return
    for member in found.members:
        said = found.of(member)
        if said is not None and said.quota and said.size > said.quota * NEARLY_FULL:
            of = f"{mebibytes(said.size)} of its quota of {mebibytes(said.quota)}"
            telling.warn(f"its database takes {of}; to make room: {mend}", member.name)
