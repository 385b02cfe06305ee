"""What the operator gives a host besides the cluster: read from beside the config, secrets by reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.model.node import OwnFile

ACCEPTED = Path(__file__).parent / "cases" / "accepted"
CONFIG = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - name: cp1
    role: control-plane
    address: 192.168.0.1
    files: [{path: /etc/app.key, %s}]
"""


def refused(folder: Path, fields: str) -> str:
    (folder / "cluster.yaml").write_text(CONFIG % fields)
    with pytest.raises(ConfigError) as error:
        load(str(folder / "cluster.yaml"))
    (problem,) = error.value.problems
    return f"{problem.path}: {problem.message}"


def test_files_and_pods_are_read_from_beside_the_config() -> None:
    (node,) = load(str(ACCEPTED / "own.yaml")).cluster.nodes
    assert node.files == (
        OwnFile("/etc/kubernetes/audit.yaml", b"rules: []\n"),
        OwnFile("/etc/app/app.conf", b"colour = blue\n", 0o640, "root:adm"),
    )
    second, inline = node.static_pods
    assert second == OwnFile(
        "/etc/kubernetes/manifests/second.yaml", (ACCEPTED / "own" / "pod.yaml").read_bytes(), 0o600
    )
    assert (inline.path, inline.mode) == ("/etc/kubernetes/manifests/inline.yaml", 0o600)
    assert b"name: inline" in inline.content


def test_a_secret_is_named_by_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_text("hunter2")
    key.chmod(0o600)
    (tmp_path / "cluster.yaml").write_text(CONFIG % "source: app.key, secret: true")
    (node,) = load(str(tmp_path / "cluster.yaml")).cluster.nodes
    (file,) = node.files
    assert (file.content, file.mode, file.secret) == (b"hunter2", 0o600, True)
    assert "hunter2" not in repr(node)


def test_what_gives_a_secret_away_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_text("hunter2")
    key.chmod(0o644)
    assert "app.key may be read by others (mode 0644)" in refused(tmp_path, "source: app.key, secret: true")
    assert "no place for what nobody may see" in refused(tmp_path, "content: x, secret: true")
    key.chmod(0o600)
    assert "lets everybody on the host read it" in refused(
        tmp_path, 'source: app.key, secret: true, mode: "0644"'
    )
    assert "say secret: true, or give a mode" in refused(tmp_path, "source: app.key")
    (tmp_path / "cluster.yaml").write_text(CONFIG % 'source: app.key, mode: "0644"')
    load(str(tmp_path / "cluster.yaml"))


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes((1 << 20) + 1))
    assert "larger than 1 MiB" in refused(tmp_path, "source: big")
