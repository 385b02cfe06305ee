"""What reset does beside a containerd that stays.

It ends when /etc/cni/net.d goes away under it (seen on a node: "cni conf dir is removed").
"""

import os
import subprocess

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory

from . import resetting


def _script(title, inventory, **how):
    actions = resetting.actions(inventory, HostFacts(), **how)
    (script,) = [each.script for each in actions if isinstance(each, RunScript) and each.title == title]
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
    script = _script("remove empty directories", inventory, keep_artifacts=keep_artifacts)
    script = script.replace(paths.MADE_DIRECTORIES, str(listed)).replace("^/etc/cni", f"^{tmp_path}/etc/cni")
    subprocess.run(["sh", "-eu", "-c", script], check=True)
    assert network.is_dir() is stays
    assert not other.exists()
    # What stays now must still be known to a later reset.
    assert listed.exists() is stays


CTR = """#!/bin/sh
# Images of a runtime: NAME DIGEST, a line each.
case "$4" in
ls)
  echo "REF TYPE DIGEST SIZE PLATFORMS LABELS"
  while read -r name digest; do echo "$name a/type $digest 9.0 MiB linux/amd64 a=b"; done <"$HELD"
  ;;
rm) grep -qF "$5 " "$HELD" && grep -vF "$5 " "$HELD" >"$HELD.new"; mv "$HELD.new" "$HELD" ;;
esac
"""
HELD = """\
registry.k8s.io/pause:3.10.2 sha256:aa
sha256:1a sha256:aa
docker.io/library/busybox:1.36 sha256:bb
mirror.lan/busybox:mine sha256:bb
sha256:1b sha256:bb
docker.io/library/others:1 sha256:cc
sha256:1c sha256:cc
"""


def test_images_go_with_the_second_name_that_the_runtime_gave_them_and_those_of_others_stay(tmp_path):
    images = {
        "registry.k8s.io/pause:3.10.2": "sha256:aa",
        "docker.io/library/busybox:1.36": "sha256:bb",
        "x:1": "",
    }
    script = _script("remove the images", Inventory("demo", {}, images=images))
    (tmp_path / "ctr").write_text(CTR)
    (tmp_path / "ctr").chmod(0o755)
    held = tmp_path / "held"
    held.write_text(HELD)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HELD": str(held)}
    subprocess.run(["sh", "-eu", "-c", script], check=True, env=environment)
    assert [line.split()[0] for line in held.read_text().splitlines()] == [
        "mirror.lan/busybox:mine",
        "sha256:1b",
        "docker.io/library/others:1",
        "sha256:1c",
    ]
