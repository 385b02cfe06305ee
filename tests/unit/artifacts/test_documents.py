"""Manifests that are fetched once and pinned."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubeadm_py.artifacts import documents
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.errors import KubeadmPyError


class Upstream:
    """A server that says `content` and counts who asks."""

    def __init__(self) -> None:
        self.content = b"kind: A\n"
        self.asked = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.content)))
                self.end_headers()
                self.wfile.write(outer.content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/types.yaml"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.server.shutdown()
    made.server.server_close()


def fetch(where: str, folder: Path) -> bytes:
    (folder / "cluster.yaml").touch()
    lock = LockFile.beside(str(folder / "cluster.yaml"))
    return documents.fetch(where, lock, folder, folder / "cache")


def test_it_is_fetched_once_and_pinned_beside_the_config(upstream, tmp_path):
    assert fetch(upstream.url, tmp_path) == b"kind: A\n"
    assert fetch(upstream.url, tmp_path) == b"kind: A\n"
    assert upstream.asked == 1
    [pinned] = yaml.safe_load((tmp_path / "cluster.lock.yaml").read_text())["pins"].items()
    assert pinned[0] == upstream.url
    assert len(pinned[1]) == 64


def test_another_machine_insists_on_the_pin(upstream, tmp_path):
    fetch(upstream.url, tmp_path)
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    upstream.content = b"kind: B\n"
    with pytest.raises(KubeadmPyError, match="is not what it was at first use"):
        fetch(upstream.url, tmp_path)
    assert not (tmp_path / "cache").exists()


def test_a_broken_cache_is_not_believed(upstream, tmp_path):
    fetch(upstream.url, tmp_path)
    [kept] = (tmp_path / "cache" / "documents").iterdir()
    kept.write_bytes(b"kind: C\n")
    assert fetch(upstream.url, tmp_path) == b"kind: A\n"


def test_a_path_begins_at_the_configs_folder(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"mine")
    assert fetch("mine.yaml", tmp_path) == b"mine"
    assert fetch(str(tmp_path / "mine.yaml"), tmp_path) == b"mine"
    with pytest.raises(KubeadmPyError, match="cannot be read"):
        fetch("other.yaml", tmp_path)


@pytest.mark.parametrize("text", ["[", "a", "pins: 1", "pins: {u: short}", "\x00"])
def test_a_lock_file_that_is_none_is_refused(text, tmp_path):
    (tmp_path / "cluster.yaml").touch()
    (tmp_path / "cluster.lock.yaml").write_text(text)
    with pytest.raises(KubeadmPyError, match=r"cluster\.lock\.yaml"):
        LockFile.beside(str(tmp_path / "cluster.yaml"))


def test_standard_input_has_no_lock_file():
    assert LockFile.beside("-").path is None
