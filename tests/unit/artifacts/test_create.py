"""A bundle holds what was asked for, the same bytes each time, and appears whole or not at all."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kubeadm_py.artifacts import bundle
from kubeadm_py.artifacts.bundle import BundleError
from kubeadm_py.artifacts.create import Signer, create
from kubeadm_py.artifacts.push import push
from kubeadm_py.artifacts.registry import Api
from kubeadm_py.artifacts.supply import FromBundle, Wanted
from kubeadm_py.errors import UsageError
from kubeadm_py.model import binaries
from kubeadm_py.model.registries import Registry, endpoints
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version

from .conftest import PAUSE, PROXY
from .registry_server import serve

BY_NAME = {binary.name: binary for binary in binaries.BINARIES}
URL = "https://example.org/v1/crds.yaml"
MOMENT = "1970-01-01T00:00:00Z"


def wanted(**changes):
    fields = {
        "name": "demo",
        "kubernetes_version": Version(1, 36, 3),
        "binaries": (BY_NAME["kubelet"],),
        "images": (PAUSE,),
        "architectures": ("amd64",),
        "documents": (URL,),
    }
    return Wanted(**{**fields, **changes})


def make(made, output: Path, signer: Signer | None = None, **changes):
    supplier = FromBundle(bundle.read(made.folder))
    return create(
        wanted(**changes),
        supplier,
        output,
        moment=MOMENT,
        signer=signer,
        fetch_document=lambda url: f"# {url}\n".encode(),
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def key_pair():
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Signer(Secret(private), "bundle.key"), public


def test_it_holds_what_was_asked_for_and_nothing_else(made, tmp_path):
    make(made, tmp_path / "out")
    read = bundle.read(tmp_path / "out")
    bundle.verify_whole(read)
    assert set(read.images["amd64"]) == {PAUSE}
    assert set(read.view().binaries["amd64"]) == {"kubelet"}
    assert read.versions == {"kubernetes": "v1.36.3"}
    assert Path(read.documents[URL].path).read_text() == f"# {URL}\n"
    # The layer of the other image stayed behind.
    assert len(list((tmp_path / "out/images/blobs/sha256").iterdir())) == 3
    assert {each.name for each in tmp_path.iterdir()} == {"bundle", "out"}


def test_two_are_the_same_bytes_as_folders_and_as_tars(made, tmp_path):
    signer, _ = key_pair()
    for name in ("a", "b", "a.tar", "b.tar"):
        make(made, tmp_path / name, signer, images=(PROXY, PAUSE))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert {member.name for member in tar if member.isfile()} == set(content(tmp_path / "a"))
    bundle.verify_whole(bundle.read(tmp_path / "a.tar", tmp_path / "cache"))


def test_a_bundle_is_replaced_and_anything_else_is_not(made, tmp_path):
    make(made, tmp_path / "out")
    make(made, tmp_path / "out", images=(PROXY,))
    assert set(bundle.read(tmp_path / "out").images["amd64"]) == {PROXY}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis").write_text("x")
    with pytest.raises(BundleError, match="no bundle"):
        make(made, tmp_path / "mine")
    with pytest.raises(BundleError, match="is a file"):
        make(made, tmp_path / "mine/thesis")


def test_all_that_is_missing_is_named_and_nothing_is_left(made, tmp_path):
    with pytest.raises(BundleError) as refused:
        make(made, tmp_path / "out", binaries=(BY_NAME["kubelet"], BY_NAME["crictl"], BY_NAME["runc"]))
    assert refused.value.details == ("crictl for amd64", "runc for amd64")
    with pytest.raises(BundleError) as refused:
        make(made, tmp_path / "out", images=("a.example/b:c",))
    assert refused.value.details == ("a.example/b:c for amd64",)
    with pytest.raises(BundleError, match="holds Kubernetes"):
        make(made, tmp_path / "out", kubernetes_version=Version(1, 36, 4))
    assert {each.name for each in tmp_path.iterdir()} == {"bundle"}


def test_a_damaged_source_is_not_copied(made, tmp_path):
    file = made.folder / "bin/amd64/kubelet/v1.36.3/kubelet"
    file.write_bytes(b"THE kubelet")
    with pytest.raises(BundleError, match="damaged"):
        make(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_signature_is_asked_for_and_judged(made, tmp_path):
    signer, public = key_pair()
    _, other = key_pair()
    make(made, tmp_path / "signed", signer)
    make(made, tmp_path / "plain")
    assert bundle.read(tmp_path / "signed", public_key=public)
    with pytest.raises(BundleError, match="not a signature"):
        bundle.read(tmp_path / "signed", public_key=other)
    with pytest.raises(BundleError, match="is not signed"):
        bundle.read(tmp_path / "plain", public_key=public)
    with pytest.raises(UsageError, match="publicKey"):
        bundle.read(tmp_path / "signed", public_key=b"no key")
    document = tmp_path / "signed/bundle.yaml"
    document.write_text(document.read_text() + "# harmless\n")
    with pytest.raises(BundleError, match="not a signature"):
        bundle.read(tmp_path / "signed", public_key=public)


def test_a_key_of_another_kind_is_refused_before_anything_is_fetched(made, tmp_path):
    class Never(FromBundle):
        def binaries(self, wanted):
            raise AssertionError

    for key in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(UsageError, match=r"bundle\.key"):
            create(
                wanted(),
                Never(bundle.read(made.folder)),
                tmp_path / "out",
                moment=MOMENT,
                signer=Signer(Secret(key), "bundle.key"),
                fetch_document=lambda _url: b"",
            )


def test_the_bill_of_materials_names_everything_by_version_and_digest(made, tmp_path):
    make(made, tmp_path / "out", images=(PAUSE, PROXY))
    bill = json.loads((tmp_path / "out/sbom.spdx.json").read_bytes())
    assert (bill["spdxVersion"], bill["creationInfo"]["created"]) == ("SPDX-2.3", MOMENT)
    packages = {each["name"]: each for each in bill["packages"]}
    assert set(packages) == {"kubelet", "registry.k8s.io/pause", "registry.k8s.io/kube-proxy"}
    listed = yaml.safe_load((tmp_path / "out/bundle.yaml").read_text())["files"]
    kubelet = packages["kubelet"]
    assert kubelet["checksums"][0]["checksumValue"] == listed[kubelet["packageFileName"]]["sha256"]
    assert kubelet["externalRefs"][0]["referenceLocator"] == "pkg:github/kubernetes/kubernetes@v1.36.3"
    pause = packages["registry.k8s.io/pause"]
    digest = bundle.read(tmp_path / "out").images["amd64"][PAUSE]
    assert f"sha256:{pause['checksums'][0]['checksumValue']}" == digest
    assert len({each["SPDXID"] for each in bill["packages"]}) == 3
    assert [each["relatedSpdxElement"] for each in bill["relationships"]] == sorted(
        each["SPDXID"] for each in bill["packages"]
    )


@pytest.mark.parametrize("harm", ["flip", "cut", "lose", "lose-blob"])
def test_every_harm_is_found(made, tmp_path, harm):
    make(made, tmp_path / "out", images=(PAUSE, PROXY))
    blobs = sorted((tmp_path / "out/images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    victim = blobs[-1] if harm == "lose-blob" else tmp_path / "out/bin/amd64/kubernetes/v1.36.3/kubelet"
    held = bytearray(victim.read_bytes())
    if harm == "flip":
        held[3] ^= 1
        victim.write_bytes(held)
    elif harm == "cut":
        victim.write_bytes(held[:-1])
    else:
        victim.unlink()
    with pytest.raises(BundleError, match=victim.name):
        bundle.verify_whole(bundle.read(tmp_path / "out"))


def test_a_part_of_an_image_that_is_not_listed_is_found(made, tmp_path):
    make(made, tmp_path / "out")
    document = tmp_path / "out/bundle.yaml"
    read = yaml.safe_load(document.read_text())
    (digest,) = bundle.read(tmp_path / "out").images["amd64"].values()
    del read["files"][f"images/blobs/sha256/{digest.removeprefix('sha256:')}"]
    document.write_text(yaml.safe_dump(read))
    with pytest.raises(BundleError, match="does not list"):
        bundle.verify_whole(bundle.read(tmp_path / "out"))


def test_a_push_sends_what_is_missing_once(made, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    held, server = serve()
    try:
        held.login = "user:pass"
        settings = Registry(plain_http=True, credentials=Secret("user:pass"))
        *_, endpoint = endpoints(held.name, {held.name: settings})
        opened = bundle.read(made.folder)
        held.busy = [503]
        first = push(opened, Api(endpoint, pause=lambda _: None), "hub", pause=lambda _: None)
        assert (first.images, first.registries) == (2, ("registry.k8s.io",))
        assert set(held.manifests) >= {"hub/pause/3.10.2", "hub/kube-proxy/v1.36.3"}
        posts = [path for method, path in held.asked if method == "POST"]
        again = push(opened, Api(endpoint), "hub")
        assert (again.blobs, again.size) == (0, 0)
        assert [path for method, path in held.asked if method == "POST"] == posts
    finally:
        server.shutdown()
        server.server_close()


def test_two_images_of_one_name_are_not_pushed_over_each_other(maker):
    maker.index(
        ("a.example/x:1", maker.manifest("amd64", b"a")), ("b.example/x:1", maker.manifest("amd64", b"b"))
    )
    maker.finish()
    *_, endpoint = endpoints("127.0.0.1:1", {})
    with pytest.raises(BundleError, match="would both become x:1"):
        push(bundle.read(maker.folder), Api(endpoint), "")
