"""Say what a reset left on a host where clusters keep their things: nobody knows who else made it."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.model import paths
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.foreign import CNI_INTERFACES

_FILES_IN = (f"{paths.KUBERNETES_DIR}/", f"{paths.CNI_CONF_DIR}/")
_NAMED = 6
"""How many are named; the others are counted."""


def left(facts: HostFacts) -> str:
    """Return what is still there, in words; empty where nothing is."""
    files = sorted(
        path for path, fact in facts.files.items() if path.startswith(_FILES_IN) and not fact.directory
    )
    for path in (paths.KUBELET_DIR, paths.ETCD_DATA_DIR):
        if facts.directories.get(path):
            files.append(path)
    links = [f"link {one.name}" for one in facts.interfaces if one.name in CNI_INTERFACES]
    return _listed([*files, *links])


def _listed(found: Sequence[str]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more
