"""containerd ends when /etc/cni/net.d goes away under it (seen on a node: "cni conf dir is removed")."""

import subprocess

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory

from . import resetting


def _prune(inventory, *, keep_artifacts):
    actions = resetting.actions(inventory, HostFacts(), keep_artifacts=keep_artifacts)
    (script,) = [
        action.script
        for action in actions
        if isinstance(action, RunScript) and action.title == "remove empty directories"
    ]
    return script


@pytest.mark.parametrize(
    ("containerd_is_ours", "keep_artifacts", "stays"),
    [(True, True, True), (False, False, True), (False, True, True), (True, False, False)],
)
def test_the_directory_of_cni_configurations_stays_as_long_as_containerd(
    tmp_path, containerd_is_ours, keep_artifacts, stays
):
    inventory = Inventory("demo", {"/etc/crictl.yaml": {"sha256": "", "mode": "0644", "made": True}})
    if containerd_is_ours:
        inventory.files[paths.CONTAINERD_UNIT] = {"sha256": "", "mode": "0644", "made": True}
    network = tmp_path / "etc/cni/net.d"
    other = tmp_path / "opt/cni/bin"
    for directory in (network, other):
        directory.mkdir(parents=True)
    listed = tmp_path / "made-directories"
    listed.write_text(f"{network}\n{other}\n")
    script = _prune(inventory, keep_artifacts=keep_artifacts)
    script = script.replace(paths.MADE_DIRECTORIES, str(listed)).replace("^/etc/cni", f"^{tmp_path}/etc/cni")
    subprocess.run(["sh", "-eu", "-c", script], check=True)
    assert network.is_dir() is stays
    assert not other.exists()
    # What stays now must still be known to a later reset.
    assert listed.exists() is stays
