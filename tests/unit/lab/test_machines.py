"""The scenario for real machines: its config is good, its add-ons fit, its Vagrantfile makes its hosts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.config.load import load
from kubeadm_py.model.node import Role

FOLDER = Path(__file__).parents[3] / "vagrant" / "machines"


def test_one_master_and_several_workers_with_weave_rook_and_the_dashboard():
    loaded = load(str(FOLDER / "cluster.yaml"))
    assert [problem.message for problem in loaded.warnings] == ["master is read as control-plane"]
    roles = [node.role for node in loaded.cluster.nodes]
    assert roles == [Role.CONTROL_PLANE, Role.WORKER, Role.WORKER, Role.WORKER]
    resolved = addons.resolve(loaded.cluster)
    assert [item.name for item in resolved] == ["weave", "rook-ceph", "headlamp"]
    kinds = {each["kind"] for each in addons.render(resolved, loaded.cluster)}
    assert {"DaemonSet", "CephCluster", "CephBlockPool", "CephFilesystem", "StorageClass"} <= kinds


def test_its_vagrantfile_makes_the_hosts_of_its_config():
    text = (FOLDER / "Vagrantfile").read_text()
    made = dict(re.findall(r'^  "(\w+)" => \{ip: "([\d.]+)"', text, re.M))
    assert made == {node.name: node.address for node in load(str(FOLDER / "cluster.yaml")).cluster.nodes}


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is not installed")
def test_its_vagrantfile_is_valid(tmp_path):
    shutil.copy(FOLDER / "Vagrantfile", tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BOX": "rocky"}
    command = ["vagrant", "validate", "--ignore-provider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "validated successfully" in done.stdout, done.stderr
