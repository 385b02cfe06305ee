"""Plan the end of a host's etcd, whose member has left: its pod, its data, its manifest."""

from __future__ import annotations

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Remove, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.steps.etcd import birth as etcd_birth
from kubeadm_py.steps.reset import pods as reset_pods
from kubeadm_py.steps.reset.paths import empty

_STOP = """if systemctl is-active --quiet kubelet.service; then
  : >"$kpy_tmp/kubelet-ran"
  systemctl stop kubelet.service
fi
if answers; then
  pods=$(crictl pods --namespace kube-system --label component=etcd --label tier=control-plane -q)
  for pod in $pods; do
    crictl --timeout 60s stopp "$pod" >/dev/null
    crictl --timeout 60s rmp -f "$pod" >/dev/null
  done
fi"""
_GO_ON = """if [ -e "$kpy_tmp/kubelet-ran" ]; then systemctl start kubelet.service; else echo unchanged; fi"""


def data_dirs(inventory: Inventory, facts: HostFacts) -> tuple[str, ...]:
    """Return where etcd's data lies: as its manifest says, else as the inventory noted."""
    flags = etcd_birth.manifest_flags(facts)
    noted = [
        path
        for path in inventory.directories
        if path not in (paths.KUBELET_DIR, paths.MANIFESTS_DIR)
        and not path.startswith(("/etc/cni", "/opt/cni"))
    ]
    return tuple(dict.fromkeys([*noted, *([flags["data-dir"]] if "data-dir" in flags else [])]))


def present(inventory: Inventory, facts: HostFacts) -> tuple[str, ...]:
    """Return those of them that are there."""
    return tuple(
        path for path in data_dirs(inventory, facts) if path in facts.directories or path in facts.files
    )


def plan(inventory: Inventory, facts: HostFacts, socket: str, *, goes_on: bool) -> list[Action]:
    """Stop etcd and remove its data and its manifest; empty where there is none.

    The manifest goes last: it says where the data lies. `goes_on` lets the kubelet go on with the other pods.
    """
    manifest = etcd_birth.MANIFEST in facts.files
    data = present(inventory, facts)
    if not manifest and not data:
        return []
    actions: list[Action] = []
    if manifest:
        actions.append(RunScript("stop etcd", reset_pods.functions(socket) + _STOP))
    made = tuple(path for path in data if path in inventory.directories)
    others = tuple(path for path in data if path not in made)
    if made:
        actions.append(Remove(made, reason="etcd's data"))
    if others:
        actions.append(empty(others, "empty etcd's data directory"))
    actions.append(Remove((etcd_birth.MANIFEST, paths.ETCD_BIRTH), reason="it must not start again"))
    if manifest and goes_on:
        actions.append(RunScript("let the kubelet go on", _GO_ON))
    return actions
