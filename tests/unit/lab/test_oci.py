"""The OCI layouts that the lab writes: the same bytes from the same input, and what they claim to be."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from lab.oci import Entry, Layout, Settings


def write(folder: Path) -> Path:
    program = folder.parent / "program"
    program.write_bytes(b"\x7fELF" * 1000)
    layout = Layout(folder, "amd64")
    shared = layout.layer([Entry("bin/sh", link="/bin/busybox"), Entry("bin/busybox", b"#!")])
    own = layout.layer([Entry("usr/local/bin/program", program), Entry("tmp", mode=0o1777)])
    layout.image("registry.example/b:2", [shared, own], Settings(["/usr/local/bin/program"], user="65532"))
    layout.image("registry.example/a:1", [shared], Settings(command=["sh"]))
    layout.close()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def blob(folder: Path, digest: str) -> bytes:
    return (folder / "blobs" / digest.replace(":", "/")).read_bytes()


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert contents(write(tmp_path / "one" / "layout")) == contents(write(tmp_path / "two" / "layout"))


def test_every_blob_is_named_by_its_digest(tmp_path: Path) -> None:
    folder = write(tmp_path / "layout")
    blobs = list((folder / "blobs" / "sha256").iterdir())
    assert len(blobs) == 2 + 2 + 2
    for path in blobs:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_index_names_images_as_containerd_imports_them(tmp_path: Path) -> None:
    folder = write(tmp_path / "layout")
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    entries = json.loads((folder / "index.json").read_bytes())["manifests"]
    assert [entry["annotations"] for entry in entries] == [
        {"io.containerd.image.name": "registry.example/a:1", "org.opencontainers.image.ref.name": "1"},
        {"io.containerd.image.name": "registry.example/b:2", "org.opencontainers.image.ref.name": "2"},
    ]
    assert all(entry["platform"] == {"architecture": "amd64", "os": "linux"} for entry in entries)


def test_manifest_leads_to_config_and_layers(tmp_path: Path) -> None:
    folder = write(tmp_path / "layout")
    entry = json.loads((folder / "index.json").read_bytes())["manifests"][1]
    manifest = json.loads(blob(folder, entry["digest"]))
    config = json.loads(blob(folder, manifest["config"]["digest"]))
    assert config["config"] == {
        "Entrypoint": ["/usr/local/bin/program"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "User": "65532",
        "WorkingDir": "/",
    }
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        packed = blob(folder, layer["digest"])
        assert len(packed) == layer["size"]
        assert f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}" == diff_id


def layer_members(folder: Path, entries: list[Entry]) -> dict[str, tarfile.TarInfo]:
    layer = Layout(folder, "amd64").layer(entries)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(folder, layer.digest)))) as tar:
        return {member.name: member for member in tar}


def test_layer_has_folders_before_files_and_no_trace_of_this_machine(tmp_path: Path) -> None:
    members = layer_members(tmp_path, [Entry("b/c/d", b"x", mode=0o644), Entry("a", link="b")])
    assert list(members) == ["a", "b", "b/c", "b/c/d"]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members.values()} == {
        (0, 0, 0, "")
    }
    assert members["b/c/d"].mode == 0o644
    assert members["a"].issym()


def test_layer_carries_file_capabilities(tmp_path: Path) -> None:
    capabilities = b"\x01\x00\x00\x02\x00\x04" + bytes(14)
    member = layer_members(tmp_path, [Entry("coredns", b"x", capabilities=capabilities)])["coredns"]
    assert member.pax_headers["SCHILY.xattr.security.capability"].encode() == capabilities


def test_layer_from_tar_leaves_out_devices_and_what_it_is_told_to(tmp_path: Path) -> None:
    original = io.BytesIO()
    with tarfile.open(fileobj=original, mode="w") as tar:
        for name in ("./usr/bin/tool", "./usr/share/doc/tool/README"):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 1, 1234
            tar.addfile(member, io.BytesIO(b"x"))
        device = tarfile.TarInfo("./dev/null")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
    original.seek(0)
    layer = Layout(tmp_path, "amd64").layer_from_tar(original, leave_out=["usr/share/doc/"])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(tmp_path, layer.digest)))) as tar:
        assert [(member.name, member.mtime) for member in tar] == [("usr/bin/tool", 0)]


def test_a_reference_names_one_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "amd64")
    layer = layout.layer([Entry("x", b"x")])
    for command in ("first", "second"):
        layout.image("registry.example/a:1", [layer], Settings(command=[command]))
    layout.close()
    assert len(json.loads((tmp_path / "index.json").read_bytes())["manifests"]) == 1
