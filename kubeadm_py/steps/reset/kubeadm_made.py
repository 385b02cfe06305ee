"""Know a node that kubeadm made, and what of it `kubeadm reset` takes away: kubeadm's own table of paths."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kubeadm_py.model import paths
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory

KUBECONFIGS = (
    paths.ADMIN_CONF,
    paths.SUPER_ADMIN_CONF,
    paths.KUBELET_CONF,
    paths.BOOTSTRAP_KUBELET_CONF,
    paths.CONTROLLER_MANAGER_CONF,
    paths.SCHEDULER_CONF,
)
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_MANIFESTS = tuple(f"{paths.MANIFESTS_DIR}/{name}.yaml" for name in _COMPONENTS)
_KUBELETS = (paths.KUBELET_FLAGS_ENV, paths.BOOTSTRAP_KUBELET_CONF, paths.KUBELET_CLIENT_CURRENT)
_OURS = (paths.KUBELET_FLAGS_ENV, paths.KUBELET_CONFIG, paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF)
"""What each of our joins and inits writes of a kubelet."""
_NAMED = re.compile(rb"--hostname-override=([^\s\"']+)")


def is_kubeadms(inventory: Inventory, facts: HostFacts) -> bool:
    """Say whether kubeadm made this host a node: it has what no inventory knows.

    Certificates and kubeconfigs alone are no sign of it: an operator with an external CA brings them.
    """
    if any(path in inventory.files for path in _OURS):
        return False
    signs: Iterable[str] = (*_MANIFESTS, *_KUBELETS)
    # Where the CA's key lies beside its kubeconfigs, the CA is no external one.
    if f"{paths.PKI_DIR}/ca.key" in facts.files and f"{paths.PKI_DIR}/ca.key" not in inventory.files:
        signs = (*signs, *KUBECONFIGS)
    return any(path in facts.files and path not in inventory.files for path in signs)


def emptied(certificates_dir: str, *, cleanup_tmp_dir: bool) -> tuple[str, ...]:
    """Return the directories whose content goes; they stay themselves, packages may own them."""
    tmp = (paths.TMP_DIR,) if cleanup_tmp_dir else ()
    return (paths.MANIFESTS_DIR, paths.KUBELET_DIR, certificates_dir, *tmp)


def node_name(facts: HostFacts) -> str:
    """Return the name by which the host's kubelet registers."""
    flags = facts.files.get(paths.KUBELET_FLAGS_ENV)
    named = _NAMED.search((flags.content if flags is not None else None) or b"")
    return (named[1].decode(errors="replace") if named else facts.hostname).lower()
