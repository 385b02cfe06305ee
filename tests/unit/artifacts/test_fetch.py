"""Downloads from a local server that has the layout of the official sites."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kubeadm_py.artifacts import download
from kubeadm_py.artifacts import fetch as fetching
from kubeadm_py.artifacts.download import DownloadError
from kubeadm_py.artifacts.fetch import HostNeed, official_view
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import binaries
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version

BY_NAME = {binary.name: binary for binary in binaries.BINARIES}
KUBELET = "/dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet"
CONTAINERD = (
    "/github.com/containerd/containerd/releases/download/v2.3.7/containerd-static-2.3.7-linux-amd64.tar.gz"
)
BODY = bytes(range(256)) * 4000


@dataclass
class Site:
    """What the server holds, what it was asked, and how it misbehaves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """Path -> for each of the next answers, the bytes after which the connection is cut."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    silent_after: dict[str, list[int]] = field(default_factory=dict)
    """Path -> for each of the next answers, the bytes after which nothing comes and nothing ends."""
    told_to_end: threading.Event = field(default_factory=threading.Event)
    ranges: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    """Path -> where the server sends on to."""

    def publish(self, path, content, suffix=".sha256"):
        self.files[path] = content
        self.files[path + suffix] = (
            f"{hashlib.sha256(content).hexdigest()}  {path.rpartition('/')[2]}\n".encode()
        )


@pytest.fixture
def site():
    held = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range", "")
            held.asked.append((self.path, asked))
            statuses = held.statuses.get(self.path)
            if statuses:
                self.send_error(statuses.pop(0))
                return
            if self.path in held.moved:
                self.send_response(302)
                self.send_header("Location", held.moved[self.path])
                self.end_headers()
                return
            content = held.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = 0
            if asked and held.ranges:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            silent = held.silent_after.get(self.path)
            if silent:
                self.wfile.write(content[start:][: silent.pop(0)])
                self.wfile.flush()
                held.told_to_end.wait(20)
                return
            cuts = held.cut_after.get(self.path)
            self.wfile.write(content[start:][: cuts.pop(0)] if cuts else content[start:])

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    yield held
    held.told_to_end.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def fetch(site, folder, *names, pauses=None, version="v1.36.3"):
    wanted = {"amd64": {BY_NAME[name]: version for name in names}}
    return fetching.fetch(
        wanted,
        mirror=site.url,
        cache_folder=folder,
        pause=(pauses if pauses is not None else []).append,
    )


def archive(**members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def test_a_binary_is_downloaded_checked_and_kept(site, tmp_path):
    site.publish(KUBELET, BODY)
    file = fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"]
    assert Path(file.path).read_bytes() == BODY
    assert (file.size, file.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    asked = len(site.asked)
    assert fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"] == file
    assert len(site.asked) == asked


def test_an_archive_is_downloaded_once_for_all_that_is_in_it(site, tmp_path):
    content = archive(**{"bin__containerd": b"daemon", "./bin__ctr": b"client"})
    site.publish(CONTAINERD, content, ".sha256sum")
    found = fetch(site, tmp_path, "containerd", "ctr", version="v2.3.7")["amd64"]
    assert Path(found["containerd"].path).read_bytes() == b"daemon"
    assert Path(found["ctr"].path).read_bytes() == b"client"
    assert [path for path, _ in site.asked].count(CONTAINERD) == 1


def test_what_was_downloaded_is_not_downloaded_again_for_another_member(site, tmp_path):
    site.publish(CONTAINERD, archive(bin__containerd=b"daemon", bin__ctr=b"client"), ".sha256sum")
    fetch(site, tmp_path, "containerd", version="v2.3.7")
    found = fetch(site, tmp_path, "ctr", version="v2.3.7")["amd64"]
    assert Path(found["ctr"].path).read_bytes() == b"client"
    assert [path for path, _ in site.asked].count(CONTAINERD) == 1


def test_a_cut_connection_goes_on_where_it_stopped(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.cut_after[KUBELET] = [100_000, 200_000]
    pauses = []
    file = fetch(site, tmp_path, "kubelet", pauses=pauses)["amd64"]["kubelet"]
    assert Path(file.path).read_bytes() == BODY
    assert [asked for path, asked in site.asked if path == KUBELET] == ["", "bytes=100000-", "bytes=300000-"]
    assert pauses == [2.0, 4.0]


def test_a_server_without_ranges_starts_over(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.ranges = False
    site.cut_after[KUBELET] = [100_000]
    file = fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"]
    assert Path(file.path).read_bytes() == BODY


def test_the_next_run_goes_on_where_the_last_one_gave_up(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.cut_after[KUBELET] = [1000] * download.TRIES
    with pytest.raises(
        DownloadError, match="could not be downloaded in 4 tries: the connection ended"
    ) as caught:
        fetch(site, tmp_path, "kubelet")
    assert "goes on where it was cut off" in caught.value.fix
    fetch(site, tmp_path, "kubelet")
    assert site.asked[-1] == (KUBELET, f"bytes={1000 * download.TRIES}-")


def test_a_complete_leftover_is_only_checked(site, tmp_path):
    site.publish(KUBELET, BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{digest}.part").write_bytes(BODY)
    assert fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"].sha256 == digest


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.statuses = {KUBELET: [503, 429], KUBELET + ".sha256": [500]}
    assert fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"].size == len(BODY)


def test_other_content_than_the_publisher_lists_is_deleted(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.files[KUBELET] = BODY[:-1] + b"x"
    with pytest.raises(DownloadError, match="does not have the SHA-256") as caught:
        fetch(site, tmp_path, "kubelet")
    assert caught.value.details == (f"expected {hashlib.sha256(BODY).hexdigest()}",)
    assert not list((tmp_path / "downloads").glob("*.part"))
    site.publish(KUBELET, BODY)
    assert fetch(site, tmp_path, "kubelet")


def test_a_damaged_cache_is_downloaded_again(site, tmp_path):
    site.publish(CONTAINERD, archive(bin__containerd=b"daemon", bin__ctr=b"client"), ".sha256sum")
    fetch(site, tmp_path, "containerd", version="v2.3.7")
    (blob,) = [path for path in (tmp_path / "downloads").iterdir() if len(path.name) == 64]
    blob.write_bytes(b"damaged")
    assert fetch(site, tmp_path, "ctr", version="v2.3.7")["amd64"]["ctr"].size == len(b"client")


def test_a_missing_release_says_so(site, tmp_path):
    site.publish(KUBELET, BODY)
    del site.files[KUBELET]
    with pytest.raises(DownloadError, match=r"kubelet does not exist \(404\)") as caught:
        fetch(site, tmp_path, "kubelet")
    assert "kubernetesVersion" in caught.value.fix
    del site.files[KUBELET + ".sha256"]
    with pytest.raises(DownloadError, match=r"kubelet.sha256 does not exist \(404\)"):
        fetch(site, tmp_path, "kubelet")


def test_a_refusal_is_not_tried_again(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.statuses = {KUBELET: [403]}
    with pytest.raises(DownloadError, match="was refused: 403 Forbidden"):
        fetch(site, tmp_path, "kubelet")


def test_a_checksum_file_without_the_file_is_an_error(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.files[KUBELET + ".sha256"] = b"<html>please log in</html>"
    with pytest.raises(DownloadError, match="lists no SHA-256 of kubelet"):
        fetch(site, tmp_path, "kubelet")


def test_a_server_that_stays_busy_is_given_up(site, tmp_path):
    site.publish(KUBELET, BODY)
    site.statuses = {KUBELET + ".sha256": [500] * download.TRIES}
    with pytest.raises(DownloadError, match="could not be read in 4 tries: the server answered 500"):
        fetch(site, tmp_path, "kubelet")


def test_nobody_answers(tmp_path, site):
    closed = Site(url="http://127.0.0.1:1")
    with pytest.raises(DownloadError, match=r"could not be read in 4 tries: .*refused"):
        fetch(closed, tmp_path, "kubelet")


def test_an_archive_without_the_binary_is_an_error(site, tmp_path):
    site.publish(CONTAINERD, archive(bin__other=b"x"), ".sha256sum")
    with pytest.raises(DownloadError, match="does not hold bin/containerd"):
        fetch(site, tmp_path, "containerd", version="v2.3.7")
    site.publish(CONTAINERD, b"not an archive", ".sha256sum")
    with pytest.raises(DownloadError, match="does not hold bin/containerd"):
        fetch(site, tmp_path, "containerd", version="v2.3.7")


@pytest.mark.parametrize("mirror", ["ftp://mirror.lan", "mirror.lan/k8s", "file:///srv"])
def test_a_mirror_must_speak_http(tmp_path, mirror):
    with pytest.raises(UsageError, match="not an https URL"):
        fetch(Site(url=mirror), tmp_path, "kubelet")


@pytest.mark.parametrize("mirror", ["http://mirror.lan", "http://10.0.0.1:8080/k8s"])
def test_a_mirror_that_anybody_on_the_way_can_change_is_refused(tmp_path, mirror):
    """Its checksum would come the same way as what it is to prove."""
    with pytest.raises(UsageError, match="plain http") as refused:
        fetch(Site(url=mirror), tmp_path, "kubelet")
    assert "https://" in refused.value.fix


@pytest.mark.parametrize("what", [KUBELET, KUBELET + ".sha256"])
def test_a_redirect_to_plain_http_is_not_followed(site, tmp_path, what):
    site.publish(KUBELET, BODY)
    site.moved[what] = "http://mirror.invalid/kubelet"
    with pytest.raises(DownloadError, match=r"sends on to http://mirror\.invalid/kubelet"):
        fetch(site, tmp_path, "kubelet")
    assert not list(tmp_path.rglob("*.part"))


def test_a_redirect_to_what_proves_itself_is_followed(site, tmp_path):
    site.publish("/elsewhere", BODY)
    site.publish(KUBELET, BODY)
    site.moved[KUBELET] = f"{site.url}/elsewhere"
    assert fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"].size == len(BODY)


def cluster(site):
    nodes = (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)), Node("w1", Role.WORKER, ("10.0.0.21",)))
    return ResolvedCluster(
        "demo",
        Version.parse("v1.36.3"),
        nodes,
        artifacts=ArtifactSource.OFFICIAL,
        artifacts_path=site.url,
    )


def test_only_what_hosts_lack_is_downloaded(site, tmp_path):
    shape = cluster(site)
    names = [binary.name for binary in binaries.BINARIES if binary.name != "kubelet"]
    facts = HostFacts(
        executables={name: f"/usr/bin/{name}" for name in names},
        files={binary.path: object() for binary in binaries.CNI},  # type: ignore[misc]
    )
    site.publish(KUBELET, BODY)
    said = []
    hosts = [HostNeed(node, facts) for node in shape.nodes]
    view = official_view(shape, hosts, cache_folder=tmp_path, say=said.append, pause=lambda _seconds: None)
    assert set(view.binaries["amd64"]) == {"kubelet"}
    assert said == [f"downloading {site.url}{KUBELET}"]
    assert view.source is ArtifactSource.OFFICIAL
    assert view.components["containerd"] == "v2.3.7"

    full = HostFacts(executables={**facts.executables, "kubelet": "/usr/bin/kubelet"}, files=facts.files)
    view = official_view(shape, [HostNeed(node, full) for node in shape.nodes], cache_folder=tmp_path)
    assert view.binaries == {}


def test_a_lock_file_keeps_the_digest_and_goes_over_the_publisher(site, tmp_path):
    site.publish(KUBELET, BODY)
    lock = LockFile(tmp_path / "c.lock.yaml")
    wanted = {"amd64": {BY_NAME["kubelet"]: "v1.36.3"}}

    def again(cache):
        return fetching.fetch(
            wanted, mirror=site.url, lock=lock, cache_folder=tmp_path / cache, pause=lambda _seconds: None
        )

    again("one")
    digest = hashlib.sha256(BODY).hexdigest()
    assert lock.pins == {f"https:/{KUBELET}": digest}
    assert digest in (tmp_path / "c.lock.yaml").read_text()
    # The publisher has put something else there, with a checksum that fits.
    site.publish(KUBELET, b"another")
    with pytest.raises(DownloadError, match=r"c\.lock\.yaml pins"):
        again("two")
    assert again("one")["amd64"]["kubelet"].sha256 == digest
    # What another cluster took from there meanwhile is not taken for what is pinned.
    fetch(site, tmp_path / "three", "kubelet")
    with pytest.raises(DownloadError, match=r"c\.lock\.yaml pins"):
        again("three")


def test_a_lock_file_that_cannot_be_written_does_not_stop_what_is_published(site, tmp_path):
    site.publish(KUBELET, BODY)
    lock = LockFile(tmp_path / "cache" / "official" / "c.lock.yaml")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "official").touch()
    with pytest.raises(KubeadmPyError):
        lock.pin("https://x", "0" * 64)
    lock.pin("https://y", "0" * 64, published=True)
    assert set(lock.pins) == {"https://x", "https://y"}


def test_a_proxy_is_asked_where_the_environment_names_one(site, tmp_path, monkeypatch):
    # To a proxy the whole URL is sent; this one has the file itself.
    site.publish(KUBELET, BODY)
    proxied = f"http://localhost:1{KUBELET}"
    site.files |= {f"http://localhost:1{path}": content for path, content in site.files.items()}
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "")
    wanted = {"amd64": {BY_NAME["kubelet"]: "v1.36.3"}}
    found = fetching.fetch(wanted, mirror="http://localhost:1", cache_folder=tmp_path)
    assert Path(found["amd64"]["kubelet"].path).read_bytes() == BODY
    assert {path for path, _ in site.asked} == {proxied, f"{proxied}.sha256"}


def test_a_server_that_falls_silent_counts_as_cut(site, tmp_path, monkeypatch):
    site.publish(KUBELET, BODY)
    site.silent_after[KUBELET] = [100_000]
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    file = fetch(site, tmp_path, "kubelet")["amd64"]["kubelet"]
    assert Path(file.path).read_bytes() == BODY
    assert site.asked[-1] == (KUBELET, "bytes=100000-")
