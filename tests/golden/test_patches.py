"""Compare what patches change here with what they change in real kubeadm's files (tests/golden/patches)."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.config import load
from kubeadm_py.errors import UsageError
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.render import kubelet, objects, static_pods

FOLDER = Path(__file__).parent / "patches"
CASES = yaml.safe_load((FOLDER / "cases.yaml").read_text())
RECORDED = yaml.safe_load((FOLDER / "recorded.yaml").read_text())
_SPEC = importlib.util.spec_from_file_location("differing", FOLDER / "differing.py")
assert _SPEC is not None
assert _SPEC.loader is not None
differing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(differing)
DIRECTORIES = (
    "/etc/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
)
"""Trust stores of the host of the recording, as far as they are in what is compared."""


def make(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    (folder / "patches").mkdir(parents=True)
    for name, text in files.items():
        (folder / "patches" / name).parent.mkdir(exist_ok=True)
        (folder / "patches" / name).write_text(text)
    (folder / "config.yaml").write_text((FOLDER / "config.yaml").read_text())
    facts = HostFacts(hostname="cp1", directories=dict.fromkeys(DIRECTORIES, 1))
    cluster = load.complete(load.load(str(folder / "config.yaml")).cluster, {"cp1": facts})
    (node,) = cluster.nodes
    pods = static_pods.pods(cluster, node, facts)
    (deployment,) = [item for item in objects.coredns(cluster) if item["kind"] == "Deployment"]
    return {
        "kube-apiserver": pods["kube-apiserver"],
        "kube-scheduler": pods["kube-scheduler"],
        "kubeletconfiguration": yaml.safe_load(kubelet.kubelet_config(cluster, node, facts).content),
        "corednsdeployment": deployment,
    }


@pytest.mark.parametrize("case", CASES)
def test_patches_change_what_kubeadms_do(case: str, tmp_path: Path) -> None:
    if RECORDED[case] == "refused":
        with pytest.raises(UsageError) as refused:
            make(tmp_path, CASES[case])
        (file,) = CASES[case]
        assert file in str(refused.value)
        return
    base = make(tmp_path / "base", {})
    made = make(tmp_path / "made", CASES[case])
    assert dict(differing.differences(base, made)) == RECORDED[case]


def test_every_case_is_recorded() -> None:
    assert list(RECORDED) == list(CASES)
    assert {"refused"} < {str(value) for value in RECORDED.values()}


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "patches").mkdir()
    for name, text in {"other.yaml": "a: 1", "etcd.yml": "a: 1", "etcd.json": "", "etcd1.json": "{}"}.items():
        (tmp_path / "patches" / name).write_text(text)
    (tmp_path / "config.yaml").write_text((FOLDER / "config.yaml").read_text())
    loaded = load.load(str(tmp_path / "config.yaml"))
    assert [patch.file for patch in loaded.cluster.init_patches] == [str(tmp_path / "patches" / "etcd1.json")]
    assert [warning.message.partition(" is left out")[0] for warning in loaded.warnings] == [
        "etcd.json",
        "etcd.yml",
        "other.yaml",
    ]


def test_a_directory_that_is_not_there_and_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((FOLDER / "config.yaml").read_text())
    with pytest.raises(load.ConfigError, match=r"patches.directory +no such directory on this machine: "):
        load.load(str(tmp_path / "config.yaml"))
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "etcd.yaml").write_text("a: [")
    with pytest.raises(load.ConfigError, match=r"patches/etcd.yaml:2:1"):
        load.load(str(tmp_path / "config.yaml"))
    if os.getuid():
        (tmp_path / "patches" / "etcd.yaml").chmod(0)
        with pytest.raises(load.ConfigError, match="may not be read"):
            load.load(str(tmp_path / "config.yaml"))
