"""What containerd is sent of images: complete, each blob once; and layouts that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubeadm_py.artifacts import checked, images
from kubeadm_py.artifacts.images import BundleError

PAUSE = "registry.k8s.io/pause:3.10.2"
PROXY = "registry.k8s.io/kube-proxy:v1.36.3"


@pytest.fixture
def layout(made):
    return made.folder / "images"


def members(archive):
    """Return the index, and each blob by its digest."""
    found = {"index.json": archive.index}
    for file in archive.files:
        assert file.sha256 not in found
        found[file.sha256] = b"".join(checked.chunks(Path(file.path), file.size, file.sha256))
    return found


def test_the_archive_holds_each_blob_once_and_whole(layout):
    wanted = list(images.read_layout(layout)["amd64"].items())
    found = members(images.archive(layout, wanted))
    assert len(found) == 1 + 2 + 1 + 2  # manifests, the one config, layers
    entries = json.loads(found["index.json"])["manifests"]
    assert [entry["annotations"] for entry in entries] == [
        {"io.containerd.image.name": PROXY, "org.opencontainers.image.ref.name": "v1.36.3"},
        {"io.containerd.image.name": PAUSE, "org.opencontainers.image.ref.name": "3.10.2"},
    ]
    assert dict(wanted) == {
        entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in entries
    }


def test_the_order_of_images_does_not_matter(layout):
    wanted = list(images.read_layout(layout)["amd64"].items())
    assert images.archive(layout, wanted) == images.archive(layout, wanted[::-1])


def test_one_image_brings_only_its_own(layout):
    digest = images.read_layout(layout)["amd64"][PAUSE]
    found = members(images.archive(layout, [(PAUSE, digest)]))
    assert len(found) == 1 + 3


def test_layers_that_are_there_are_left_out(layout):
    """What the host has under another name, or shares with what it has."""
    held = images.read_layout(layout)["amd64"]
    again = members(images.archive(layout, [(PROXY, held[PROXY])], present=[held[PROXY]]))
    assert len(again) == 1 + 2  # manifest and config always travel
    shared = members(
        images.archive(layout, [(PROXY, held[PROXY])], present=[held[PAUSE], "sha256:" + "0" * 64])
    )
    assert len(shared) == 1 + 2 + 1


def test_a_reference_by_digest_has_no_tag(layout):
    digest = images.read_layout(layout)["amd64"][PAUSE]
    name = f"registry.k8s.io/pause@{digest}"
    index = json.loads(members(images.archive(layout, [(name, digest)]))["index.json"])
    assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": name}


def test_a_platform_is_named_found_in_the_index_or_in_the_config(maker):
    children = []
    for architecture in ("amd64", "arm64", "s390x"):
        child = maker.manifest(architecture, architecture.encode())
        children.append({**child, "platform": {"os": "linux", "architecture": architecture}})
    (maker.folder / "images/blobs/sha256" / children[2]["digest"].removeprefix("sha256:")).unlink()
    attestation = {**maker.blob(b"{}"), "platform": {"os": "unknown", "architecture": "unknown"}}
    nested = maker.blob(json.dumps({"manifests": [*children, attestation]}).encode())
    named = {**maker.manifest("amd64", b"x"), "platform": {"os": "linux", "architecture": "amd64"}}
    maker.index(
        ("example/multi:1", {"mediaType": "application/vnd.oci.image.index.v1+json", **nested}),
        ("example/named:1", named),
        ("example/config:1", maker.manifest("riscv64", b"y")),
        ("", maker.manifest("amd64", b"nameless")),
    )
    assert images.read_layout(maker.folder / "images") == {
        "amd64": {"example/multi:1": children[0]["digest"], "example/named:1": named["digest"]},
        "arm64": {"example/multi:1": children[1]["digest"]},
        "riscv64": {"example/config:1": maker.manifest("riscv64", b"y")["digest"]},
    }


def test_one_name_for_two_images_is_refused(maker):
    maker.index(("a/b:1", maker.manifest("amd64", b"x")), ("a/b:1", maker.manifest("amd64", b"y")))
    with pytest.raises(BundleError, match="names a/b:1 twice for amd64"):
        images.read_layout(maker.folder / "images")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has no list of manifests"),
        ('{"manifests": [1]}', "has no list of manifests"),
        (
            '{"manifests": [{"annotations": {"io.containerd.image.name": "a:1"}}]}',
            "has an entry without a digest",
        ),
        (
            '{"manifests": [{"digest": "sha256:../../../etc/shadow", '
            '"annotations": {"io.containerd.image.name": "a:1"}}]}',
            "not a sha256 digest",
        ),
    ],
)
def test_a_broken_index_is_refused(layout, index, expected):
    (layout / "index.json").write_text(index)
    with pytest.raises(BundleError, match=expected):
        images.read_layout(layout)


def manifest_path(layout, name=PAUSE):
    digest = images.read_layout(layout)["amd64"][name]
    return digest, layout / "blobs/sha256" / digest.removeprefix("sha256:")


def test_a_missing_manifest_is_named(layout):
    digest, path = manifest_path(layout)
    path.unlink()
    with pytest.raises(BundleError, match=f"lacks {digest}"):
        images.blobs(layout, digest)


def test_a_changed_manifest_is_damaged(layout):
    digest, path = manifest_path(layout)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match="is damaged"):
        images.archive(layout, [(PAUSE, digest)])


def test_what_is_no_manifest_is_refused(maker):
    blob = maker.blob(b'{"config": {}}')
    with pytest.raises(BundleError, match="is not an image manifest"):
        images.blobs(maker.folder / "images", blob["digest"])


def test_a_huge_manifest_is_not_read(maker):
    blob = maker.blob(b" " * (9 << 20))
    with pytest.raises(BundleError, match="too large"):
        images.blobs(maker.folder / "images", blob["digest"])
