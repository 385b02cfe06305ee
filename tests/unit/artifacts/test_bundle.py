"""A bundle is believed when it is whole, and every way of being broken has its own message."""

from __future__ import annotations

import json
import os
import tarfile
import time
from pathlib import Path

import pytest

from kubeadm_py.artifacts import bundle, unpack
from kubeadm_py.artifacts.bundle import BundleError
from kubeadm_py.errors import ExitCode
from kubeadm_py.model.cluster import ArtifactSource

PAUSE = "registry.k8s.io/pause:3.10.2"
PROXY = "registry.k8s.io/kube-proxy:v1.36.3"


def everything(read):
    view = read.view()
    return [*view.binaries["amd64"].values()], [*view.images["amd64"].values()]


def test_a_sound_bundle_is_read_and_verified(made, tmp_path):
    read = bundle.read(made.folder)
    view = read.view()
    assert view.source is ArtifactSource.BUNDLE
    assert view.architectures == ("amd64",)
    assert view.components["kubernetes"] == "v1.36.3"
    assert set(view.binaries["amd64"]) == {"kubelet", "containerd"}
    kubelet = view.binaries["amd64"]["kubelet"]
    assert Path(kubelet.path).read_bytes() == b"the kubelet"
    assert kubelet.size == 11
    assert set(view.images["amd64"]) == {PAUSE, PROXY}
    assert view.layout == str(made.folder / "images")
    bundle.verify(read, *everything(read), cache_folder=tmp_path / "cache")
    assert set(read.images["amd64"]) >= {PAUSE, PROXY}


def test_a_bundle_of_binaries_only_is_fine(maker):
    maker.binary("arm64/runc/v1.4.0/runc", b"runc")
    maker.finish(architectures=["arm64"])
    view = bundle.read(maker.folder).view()
    assert set(view.binaries) == {"arm64"}
    assert view.images == {}


def test_other_files_are_no_binaries(maker):
    maker.binary("README", b"hello")
    maker.finish()
    assert bundle.read(maker.folder).view().binaries == {}


def refusal(path, **settings):
    with pytest.raises(BundleError) as caught:
        bundle.read(path, **settings)
    assert caught.value.fix
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.summary


def test_there_is_no_bundle(tmp_path):
    assert refusal(tmp_path / "none") == f"there is no bundle at {tmp_path / 'none'}"


def test_there_is_no_description(tmp_path):
    assert "bundle.yaml cannot be read: No such file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a list", "has no schema"),
        ("versions: {}", "has no schema"),
        ("{", "is not YAML"),
        ("schema: 2", "has schema 2; this kubeadm-py reads schema 1"),
        ("schema: 1", "lists no files"),
        ("{schema: 1, files: {}}", "lists no files"),
        ("{schema: 1, files: {bin/x: {size: 1}}}", "lacks size or sha256 of bin/x"),
        ("{schema: 1, files: {bin/x: 7}}", "lacks size or sha256 of bin/x"),
        ("{schema: 1, files: {bin/x: {size: many, sha256: a}}}", "lacks size or sha256 of bin/x"),
        ("{schema: 1, files: {../x: {size: 1, sha256: a}}}", "names ../x, which is outside the bundle"),
        ("{schema: 1, files: {/etc/passwd: {size: 1, sha256: a}}}", "names /etc/passwd, which is outside"),
    ],
)
def test_the_description_is_wrong(tmp_path, text, expected):
    (tmp_path / "bundle.yaml").write_text(text)
    assert expected in refusal(tmp_path)


def test_versions_are_missing(made):
    made.finish(versions=["v1"])
    assert "has no versions" in refusal(made.folder)


def test_a_file_is_missing(made):
    path = made.folder / "bin/amd64/kubelet/v1.36.3/kubelet"
    path.unlink()
    assert refusal(made.folder) == f"the bundle lacks {path}"


@pytest.mark.parametrize(
    ("content", "word"), [(b"the kub", "4 bytes shorter"), (b"the kubelet++", "2 bytes longer")]
)
def test_a_file_is_truncated_or_grown(made, content, word):
    path = made.folder / "bin/amd64/kubelet/v1.36.3/kubelet"
    path.write_bytes(content)
    assert refusal(made.folder) == f"{path} is {word} than the bundle says"


def test_the_index_of_images_is_damaged(made):
    path = made.folder / "images/index.json"
    path.write_text(path.read_text().replace("pause", "pavse"))
    assert f"{path} is damaged" in refusal(made.folder)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_in_a_binary_is_found_before_it_is_sent(made, tmp_path):
    read = bundle.read(made.folder)
    path = made.folder / "bin/amd64/kubelet/v1.36.3/kubelet"
    files, _ = everything(read)
    bundle.verify(read, files, cache_folder=tmp_path / "cache")
    flip(path)
    with pytest.raises(BundleError, match=f"{path} is damaged"):
        bundle.verify(read, files, cache_folder=tmp_path / "cache")
    bundle.verify(read, [file for file in files if not file.path.endswith("kubelet")])


def test_a_flipped_bit_in_a_layer_is_found(made):
    read = bundle.read(made.folder)
    largest = max((made.folder / "images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    flip(largest)
    with pytest.raises(BundleError, match=f"{largest} is damaged"):
        bundle.verify(read, manifests=[read.images["amd64"][PROXY]])
    bundle.verify(read, manifests=[read.images["amd64"][PAUSE]])


@pytest.mark.parametrize("nested", [False, True])
def test_a_tar_is_unpacked_once(made, tmp_path, nested):
    archive = tmp_path / "bundle.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(made.folder, arcname="demo" if nested else ".")
    first = bundle.read(archive, tmp_path / "cache")
    assert set(first.view().images["amd64"]) == {PAUSE, PROXY}
    marker = first.folder / "unpacked-once"
    marker.touch()
    assert bundle.read(archive, tmp_path / "cache").folder == first.folder
    assert marker.exists()


def packed(folder, archive):
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, arcname=".")
    return archive


def aged(folder, days):
    then = time.time() - days * 86400
    os.utime(folder, (then, then))


def test_what_was_unpacked_goes_when_its_tar_was_replaced_and_nobody_has_used_it_for_a_day(made, tmp_path):
    archive, cache_folder = packed(made.folder, tmp_path / "bundle.tar"), tmp_path / "cache"
    first = bundle.read(archive, cache_folder).folder
    os.utime(archive, (1, 1))
    second = bundle.read(archive, cache_folder).folder
    assert first.is_dir(), "a run may still read it"
    aged(first, 2)
    aged(second, 0.5)
    os.utime(archive, (2, 2))
    third = bundle.read(archive, cache_folder).folder
    assert set((cache_folder / "bundles").iterdir()) == {second, third}


def test_two_runs_may_unpack_the_same_tar_at_once(made, tmp_path, monkeypatch):
    archive, cache_folder = packed(made.folder, tmp_path / "bundle.tar"), tmp_path / "cache"
    extract = unpack._extract

    def beside_another(tar, folder):
        monkeypatch.setattr(unpack, "_extract", extract)
        bundle.read(archive, cache_folder)
        extract(tar, folder)

    monkeypatch.setattr(unpack, "_extract", beside_another)
    read = bundle.read(archive, cache_folder)
    assert [read.folder] == [*(cache_folder / "bundles").iterdir()]


def test_what_was_unpacked_from_another_tar_stays_while_it_is_used(made, tmp_path):
    cache_folder = tmp_path / "cache"
    used, unused = (
        bundle.read(packed(made.folder, tmp_path / f"{each}.tar"), cache_folder).folder for each in "ab"
    )
    killed = cache_folder / "bundles/.unfinished-x"
    killed.mkdir()
    for each in (used, unused, killed):
        aged(each, 40)
    bundle.read(tmp_path / "a.tar", cache_folder)
    new = bundle.read(packed(made.folder, tmp_path / "c.tar"), cache_folder).folder
    assert set((cache_folder / "bundles").iterdir()) == {used, new}


def test_a_cut_tar_leaves_nothing_behind(made, tmp_path):
    archive = tmp_path / "bundle.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(made.folder, arcname=".")
    archive.write_bytes(archive.read_bytes()[:3000])
    assert "cannot be unpacked" in refusal(archive, cache_folder=tmp_path / "cache")
    assert list((tmp_path / "cache/bundles").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../escaped", tarfile.REGTYPE),
        ("/etc/escaped", tarfile.REGTYPE),
        ("pipe", tarfile.FIFOTYPE),
        ("link", tarfile.SYMTYPE),
        ("nowhere", tarfile.LNKTYPE),
    ],
)
def test_a_tar_holds_files_and_folders_only(tmp_path, name, kind):
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = "gone"
    archive = tmp_path / "bundle.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(member)
    assert "cannot be unpacked" in refusal(archive, cache_folder=tmp_path / "cache")
    assert not (tmp_path / "cache/escaped").exists()


def test_a_tar_of_something_else_has_no_description(tmp_path):
    (tmp_path / "x").write_text("x")
    archive = tmp_path / "other.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "x", arcname="x")
    assert "bundle.yaml cannot be read" in refusal(archive, cache_folder=tmp_path / "cache")


def test_digests_are_remembered_and_a_broken_cache_only_costs_time(made, tmp_path):
    cache_folder = tmp_path / "cache"
    read = bundle.read(made.folder)
    bundle.verify(read, *everything(read), cache_folder=cache_folder)
    remembered = json.loads((cache_folder / "digests.json").read_bytes())
    assert len(remembered) == 2 + 2 + 1 + 2  # binaries, manifests, the one config, layers
    (cache_folder / "digests.json").write_text("[]")
    bundle.verify(read, *everything(read), cache_folder=cache_folder)
    assert json.loads((cache_folder / "digests.json").read_bytes()) == remembered
    (tmp_path / "file").touch()
    bundle.verify(read, *everything(read), cache_folder=tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"no tar\n", bytes(511)])
def test_what_is_no_tar_is_said_in_a_line(tmp_path, content):
    archive = tmp_path / "bundle.tar"
    archive.write_bytes(content)
    said = refusal(archive, cache_folder=tmp_path / "cache")
    assert "is no tar archive, or not all of one" in said
    assert "gz" not in said
