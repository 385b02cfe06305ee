"""`config migrate`: the new file, what is told of it, and what is refused."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OLD = """\
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
useHyperKubeImage: true
apiServer:
  timeoutForControlPlane: 5m0s  # slow
"""
Write = Callable[[str, str], Path]


def test_writes_the_new_file_and_tells_what_became_of_each_key(
    kpy: Any, write: Write, tmp_path: Path
) -> None:
    write("old.yaml", OLD)
    ended = kpy("config", "migrate", "--old-config", "old.yaml", "--new-config", "new.yaml")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines() == [
        "moved     old.yaml:5  apiServer.timeoutForControlPlane -> "
        "InitConfiguration.timeouts.controlPlaneComponentHealthCheck",
        "left out  old.yaml:3  useHyperKubeImage: "
        "there are no hyperkube images any more; each component has its own",
        "old.yaml: kubeadm.k8s.io/v1beta2 -> kubeadm.k8s.io/v1beta4; "
        "keys: 1 moved, 0 changed, 1 left out, 0 to decide",
        "check it: kubeadm-py config validate --config new.yaml",
    ]
    new = tmp_path / "new.yaml"
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert "controlPlaneComponentHealthCheck: 5m0s  # slow" in new.read_text()
    checked = kpy("config", "validate", "--config", "new.yaml")
    assert checked.code == 0, checked.text


def test_standard_input_to_standard_output(kpy: Any) -> None:
    ended = kpy("config", "migrate", "--old-config", "-", "--allow-experimental-api", stdin=OLD)
    assert ended.code == 0
    assert ended.out.startswith("# <stdin> (kubeadm.k8s.io/v1beta2) in kubeadm.k8s.io/v1beta4")
    again = kpy("config", "migrate", "--old-config", "-", stdin=ended.out)
    assert (again.code, again.out) == (0, ended.out)
    assert again.err == "<stdin> is of kubeadm.k8s.io/v1beta4 already; nothing to translate\n"


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/null"])
def test_a_device_is_written_to_and_stays(kpy: Any, write: Write, target: str) -> None:
    write("old.yaml", OLD)
    ended = kpy("config", "migrate", "--old-config", "old.yaml", "--new-config", target)
    assert ended.code == 0
    assert ("kind: InitConfiguration" in ended.out) == (target == "/dev/stdout")
    assert not Path("/dev/null").is_file()


def test_refusals(kpy: Any, write: Write) -> None:
    write("old.yaml", OLD + "clusterNam: a\n")
    for arguments, words in (
        (("--old-config", "old.yaml"), "old.yaml:6:1"),
        (("--old-config", "none.yaml"), "no such file"),
        (
            ("--old-config", "old.yaml", "--allow-unknown-fields", "--new-config", "/proc/x/y"),
            "cannot be written",
        ),
        ((), "--old-config"),
    ):
        ended = kpy("config", "migrate", *arguments)
        assert ended.code == 2
        assert words in ended.err
        assert not ended.out


@pytest.mark.parametrize(
    "command",
    [
        ("init",),
        ("join",),
        ("reset", "--yes"),
        ("preflight",),
        ("render", "--output", "out"),
        ("verify",),
        ("config", "validate"),
        ("config", "images", "list"),
        ("token", "list"),
    ],
    ids=" ".join,
)
def test_every_command_says_what_to_type(kpy: Any, write: Write, command: tuple[str, ...]) -> None:
    write("old.yaml", OLD)
    ended = kpy(*command, "--config", "old.yaml")
    assert ended.code == 2
    assert "kubeadm.k8s.io/v1beta2 is of kubeadm 1.15 to 1.21" in ended.text
    assert "kubeadm-py config migrate --old-config old.yaml --new-config old-v1beta4.yaml" in ended.text
