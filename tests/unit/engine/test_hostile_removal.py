"""What is removed, kept and put back on a host, where the host is not as its inventory says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Remove, RunScript


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/etc", "/var/lib", "/usr/bin", "etc/x", "", "/etc/kubernetes/../shadow", "/srv//x", "/x/"],
)
def test_what_no_plan_can_mean_is_refused(sandbox, path):
    with pytest.raises(KubeadmPyError, match="refused to remove"):
        sandbox.compile(Remove((path,)))


def test_a_mount_point_is_emptied_and_stays(sandbox):
    disk = Path(sandbox.path("disk"))
    (disk / "pods").mkdir(parents=True)
    sandbox.command("mountpoint", f'[ "$2" = {disk} ]')
    # As rm does it with a disk that is mounted there.
    sandbox.command(
        "rm",
        f"for last; do :; done\n"
        f'[ "$last" != {disk} ] || {{ /bin/rm -rf {disk}/*; exit 1; }}\nexec /bin/rm "$@"',
    )
    assert sandbox.run(Remove((str(disk),))).ok
    assert os.listdir(disk) == []


def test_what_does_not_go_fails(sandbox):
    disk = Path(sandbox.path("disk"))
    (disk / "pods").mkdir(parents=True)
    sandbox.command("mountpoint", "true")
    sandbox.command("rm", f'for last; do :; done; [ "$last" != {disk} ] || exit 1; exec /bin/rm "$@"')
    assert not sandbox.run(Remove((str(disk),))).ok


def test_what_is_mounted_below_is_not_entered(sandbox):
    sandbox.command("rm", 'echo "$*" >>"$LOG"; exec /bin/rm "$@"')
    sandbox.run(Remove((sandbox.path("x"),)))
    assert "--one-file-system" in next(line for line in sandbox.log.splitlines() if line.endswith("/x"))


@pytest.mark.parametrize("target", ["other.toml", "gone.toml"])
def test_a_link_comes_back_as_a_link(sandbox, target):
    link = Path(sandbox.path("etc/containerd/config.toml"))
    link.parent.mkdir(parents=True)
    (link.parent / "other.toml").write_text("the operator's\n")
    link.symlink_to("other.toml")
    assert sandbox.write(
        sandbox.file("etc/containerd/config.toml", b"ours\n"), existing=frozenset({str(link)})
    ).ok
    assert not link.is_symlink()
    (link.parent / "other.toml").rename(link.parent / target)
    assert sandbox.run(RunScript("put back", f"kpy_restore '{link}'")).ok
    assert os.readlink(link) == "other.toml"


@pytest.mark.parametrize("planted", ["link", "directory"])
def test_what_others_put_in_the_way_of_a_file_that_is_put_back_is_not_followed(sandbox, planted):
    """The directory of a file may be somebody else's: root must not write through a link of theirs."""
    path = Path(sandbox.path("home/jane/app.conf"))
    secret = Path(sandbox.path("shadow"))
    path.parent.mkdir(parents=True)
    path.write_text("jane's\n")
    secret.write_text("root's\n")
    assert sandbox.write(sandbox.file("home/jane/app.conf", b"ours\n"), existing=frozenset({str(path)})).ok
    trap = path.with_name(".app.conf.kubeadm-py-new")
    if planted == "link":
        trap.symlink_to(secret)
    else:
        (trap / "x").mkdir(parents=True)
    assert sandbox.run(RunScript("put back", f"kpy_restore '{path}'")).ok
    assert (path.read_text(), secret.read_text()) == ("jane's\n", "root's\n")
    assert os.listdir(path.parent) == ["app.conf"]


def test_what_is_put_back_gets_its_directory_back(sandbox):
    path = Path(sandbox.path("var/lib/kubelet/config.yaml"))
    path.parent.mkdir(parents=True)
    path.write_text("the operator's\n")
    path.chmod(0o640)
    assert sandbox.write(
        sandbox.file("var/lib/kubelet/config.yaml", b"ours\n"), existing=frozenset({str(path)})
    ).ok
    assert sandbox.run(Remove((str(path.parent),))).ok
    assert sandbox.run(RunScript("put back", f"kpy_restore '{path}'")).ok
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("the operator's\n", 0o640)


def test_half_a_copy_does_not_pass_for_the_file(sandbox):
    path = Path(sandbox.path("etc/config.toml"))
    path.parent.mkdir()
    path.write_text("the operator's\n")
    spec, existing = sandbox.file("etc/config.toml", b"ours\n"), frozenset({str(path)})
    sandbox.command(
        "cp", 'for last; do :; done; case $last in */) last=$last/$2 ;; esac; printf the >"$last"; exit 1'
    )
    assert not sandbox.write(spec, existing=existing).ok
    (sandbox.bin / "cp").unlink()
    assert sandbox.write(spec, existing=existing).ok
    assert Path(f"{paths.STATE_DIR}/prior{path}").read_text() == "the operator's\n"
