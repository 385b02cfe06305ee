"""Images come out of registries whole, whatever lies in between."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kubeadm_py.artifacts import images
from kubeadm_py.artifacts.download import TRIES, DownloadError
from kubeadm_py.artifacts.layout import LayoutWriter
from kubeadm_py.artifacts.lockfile import LockFile, pin_name
from kubeadm_py.artifacts.pull import Puller
from kubeadm_py.artifacts.registry import RegistryError
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret

from .registry_server import serve

PLAIN = Registry(plain_http=True)


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registry():
    held, server = serve()
    yield held
    server.shutdown()
    server.server_close()


@pytest.fixture
def pull(tmp_path: Path, registry):
    def pull(*references, registries=None, architectures=("amd64",), lock=None, cache="cache"):
        settings = {registry.name: PLAIN} if registries is None else registries
        puller = Puller(settings, lock or LockFile(None), tmp_path / cache, pause=lambda _seconds: None)
        layout = LayoutWriter(tmp_path / "layout")
        puller.pull(references, architectures, layout)
        layout.close()
        return images.read_layout(layout.folder)

    return pull


def whole(folder: Path) -> int:
    """Return how many blobs a layout has, all of them with the content that their names say."""
    blobs = list((folder / "blobs/sha256").iterdir())
    assert all(hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name for blob in blobs)
    return len(blobs)


def test_an_image_of_one_architecture(registry, pull, tmp_path):
    digest = registry.image("a/b", "v1", "amd64")
    reference = f"{registry.name}/a/b:v1"
    assert pull(reference) == {"amd64": {reference: digest}}
    assert whole(tmp_path / "layout") == 3
    count = len(registry.asked)
    assert pull(reference, lock=LockFile(None, {pin_name(reference): digest.removeprefix("sha256:")}))
    assert len(registry.asked) == count, "what is pinned and in the cache is not asked for again"


def test_of_an_index_only_what_is_wanted_comes(registry, pull, tmp_path):
    registry.image("a", "v1", "amd64", "arm64", "s390x")
    reference = f"{registry.name}/a:v1"
    held = pull(reference, architectures=("amd64", "arm64"))
    assert {name: list(each) for name, each in held.items()} == {"amd64": [reference], "arm64": [reference]}
    # Two manifests, two configs, and the layer that they share.
    assert whole(tmp_path / "layout") == 5


def test_an_architecture_that_is_not_published_is_named(registry, pull):
    registry.image("a", "v1", "amd64", "arm64")
    registry.image("b", "v1", "arm64")
    with pytest.raises(DownloadError, match="not published for s390x, only for amd64, arm64"):
        pull(f"{registry.name}/a:v1", architectures=("amd64", "s390x", "arm64"))
    with pytest.raises(DownloadError, match="not published for amd64, only for arm64"):
        pull(f"{registry.name}/b:v1")


def test_a_cut_layer_goes_on_where_it_stopped(registry, pull):
    registry.image("a", "v1", "amd64")
    (layer,) = [name for name, content in registry.blobs.items() if content.startswith(b"a v1")]
    registry.cut[layer.rpartition("/")[2]] = [100, 200]
    assert pull(f"{registry.name}/a:v1")
    assert [each for each in registry.ranges if each] == ["bytes=100-", "bytes=300-"]


def test_a_layer_that_is_another_is_refused(registry, pull):
    registry.image("a", "v1", "amd64")
    for name in registry.blobs:
        registry.blobs[name] = registry.blobs[name][::-1]
    with pytest.raises(DownloadError, match="does not have the SHA-256 that the image's manifest names"):
        pull(f"{registry.name}/a:v1")


def test_a_tag_that_moved_still_gives_what_is_pinned(registry, pull):
    first = registry.image("a", "v1", "amd64")
    reference = f"{registry.name}/a:v1"
    lock = LockFile(None)
    pull(reference, lock=lock)
    registry.manifests["a/v1"] = ("x", b"{}")
    assert pull(reference, lock=lock, cache="another") == {"amd64": {reference: first}}


def test_a_manifest_other_than_the_pinned_one_is_refused(registry, pull):
    digest = registry.image("a", "v1", "amd64")
    reference = f"{registry.name}/a:v1"
    registry.manifests[f"a/{digest}"] = ("x", b"{}")
    lock = LockFile(None, {pin_name(reference): digest.removeprefix("sha256:")})
    with pytest.raises(DownloadError, match="another digest"):
        pull(reference, lock=lock)


@pytest.mark.parametrize("tokens", [False, True])
def test_credentials_are_shown_to_the_registry_and_to_nobody_behind_a_redirect(registry, pull, tokens):
    registry.image("a", "v1", "amd64")
    registry.login, registry.tokens, registry.moved = "user:pass", tokens, True
    settings = {registry.name: Registry(plain_http=True, credentials=Secret("user:pass"))}
    assert pull(f"{registry.name}/a:v1", registries=settings)
    assert set(registry.elsewhere) == {None}


@pytest.mark.parametrize(
    ("credentials", "said"), [(None, "wants credentials"), (Secret("user:no"), "refused these credentials")]
)
def test_without_the_right_credentials_it_is_said_where_they_go(registry, pull, credentials, said):
    registry.image("a", "v1", "amd64")
    registry.login = "user:pass"
    with pytest.raises(RegistryError, match=said) as refused:
        pull(
            f"{registry.name}/a:v1",
            registries={registry.name: Registry(plain_http=True, credentials=credentials)},
        )
    assert f"spec.registries.{registry.name}.credentialsFile" in refused.value.fix
    assert "user" not in str(refused.value)


def test_a_busy_registry_is_asked_again_and_not_for_ever(registry, pull):
    registry.image("a", "v1", "amd64")
    registry.busy = [503, 429]
    assert pull(f"{registry.name}/a:v1")
    registry.busy = [500] * 40
    with pytest.raises(RegistryError, match=f"in {TRIES} tries: the registry answered 500"):
        pull(f"{registry.name}/a:v1", cache="another")


def test_what_does_not_exist_is_said_once(registry, pull):
    with pytest.raises(RegistryError, match="does not exist"):
        pull(f"{registry.name}/a:v1")
    assert len(registry.asked) == 1


def test_mirrors_come_first_and_the_registry_itself_after_them(registry, pull):
    other, server = serve()
    try:
        other.image("hub/library/a", "v1", "amd64")
        registry.image("library/b", "v1", "amd64")
        registries = {
            registry.name: Registry((f"http://{other.name}/v2/hub",), plain_http=True),
            other.name: PLAIN,
        }
        assert pull(f"{registry.name}/library/a:v1", f"{registry.name}/library/b:v1", registries=registries)
        assert ("GET", "/v2/hub/library/a/manifests/v1") in other.asked
        assert all("/a/" not in path for _, path in registry.asked)
        with pytest.raises(RegistryError, match="from any of 2 places") as refused:
            pull(f"{registry.name}/c:v1", registries=registries)
        assert len(refused.value.details) == 2
    finally:
        server.shutdown()
        server.server_close()


def test_https_that_is_none_is_refused_at_once_with_what_to_do(registry, pull):
    with pytest.raises(RegistryError, match="could not be reached"):
        pull(f"{registry.name}/a:v1", registries={})


def test_a_manifest_of_no_image_is_no_traceback(registry, pull):
    for content in (b"[]", b"not json", b'{"config": 1}', b'{"manifests": []}'):
        registry.hold("a", "v1", "x", content)
        with pytest.raises(DownloadError):
            pull(f"{registry.name}/a:v1", cache=content.hex())
