"""Discovery files: from a path, with what they name put into them, and from an https URL."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeadm_py.cli.verbs import discovery_file
from kubeadm_py.errors import KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import leaf_requests

NODE = Node("localhost", Role.CONTROL_PLANE, ("127.0.0.1",))
CLUSTER = ResolvedCluster("demo", Version(1, 36, 3), (NODE,), encryption_algorithm="ECDSA-P256")
FILE = b"""\
apiVersion: v1
kind: Config
current-context: here
clusters:
- {name: here, cluster: {server: "https://10.0.0.1:6443", certificate-authority: pki/ca.crt}}
- {name: elsewhere, cluster: {server: "https://10.0.0.2:6443", certificate-authority: nowhere.crt}}
contexts:
- {name: here, context: {cluster: here, user: me}}
users:
- {name: me, user: {client-certificate: me.crt, client-key: me.key, tokenFile: token}}
"""


@pytest.fixture(scope="module")
def authorities() -> Iterator[Authorities]:
    with Authorities.from_fresh(CLUSTER, now=datetime.now(UTC)) as made:
        yield made


def test_the_files_that_it_names_are_read_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    for name, content in (("pki/ca.crt", b"CA"), ("me.crt", b"C"), ("me.key", b"K"), ("token", b"a.b\n")):
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "discovery.conf"
    path.write_bytes(FILE)
    entry = kubeconfig.cluster_of(discovery_file.read(str(path)))
    assert (entry.server, entry.ca_pem, entry.client_certificate_pem) == (
        "https://10.0.0.1:6443",
        b"CA",
        b"C",
    )
    assert entry.client_key is not None
    assert entry.client_key.reveal() == b"K"
    assert entry.token is not None
    assert entry.token.text() == "a.b"


def test_a_file_that_it_names_and_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "discovery.conf"
    path.write_bytes(FILE)
    with pytest.raises(KubeadmPyError, match=r"names the file .*instead of holding its content"):
        kubeconfig.cluster_of(discovery_file.read(str(path)))


def test_no_file_and_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        discovery_file.read(str(tmp_path / "nowhere"))
    path = tmp_path / "odd"
    path.write_bytes(b"\x00")
    with pytest.raises(KubeadmPyError, match="is not a usable kubeconfig"):
        discovery_file.read(str(path))


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/plain":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/discovery.conf")
            self.end_headers()
            return
        found = self.path == "/discovery.conf"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(FILE if found else b"")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server(authorities: Authorities, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an https server whose certificate the cluster's own CA signed."""
    issued = authorities.issue(
        next(each for each in leaf_requests(CLUSTER, NODE) if each.name == "apiserver")
    )
    pair = tmp_path / "server.pem"
    pair.write_bytes(issued.public_pem + issued.key.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


class TestFromAURL:
    @pytest.fixture(autouse=True)
    def _trust(self, authorities: Authorities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(authorities.ca_pem())
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        monkeypatch.setenv("no_proxy", "127.0.0.1")

    def test_it_is_what_the_server_says(self, server: str) -> None:
        assert discovery_file.read(f"{server}/discovery.conf") == FILE

    def test_a_server_that_has_none(self, server: str) -> None:
        with pytest.raises(UnreachableError, match="cannot be fetched: HTTP status 404") as caught:
            discovery_file.read(f"{server}/other")
        assert caught.value.fix

    def test_it_is_never_taken_from_plain_http(self, server: str) -> None:
        with pytest.raises(UsageError, match=r"sends on to http://127\.0\.0\.1:1/discovery\.conf"):
            discovery_file.read(f"{server}/plain")

    def test_nobody_listens(self) -> None:
        with pytest.raises(UnreachableError, match="refused"):
            discovery_file.read("https://127.0.0.1:1/discovery.conf")

    def test_a_port_that_is_none(self) -> None:
        with pytest.raises(UnreachableError, match="cannot be fetched"):
            discovery_file.read("https://127.0.0.1:x/")


def test_an_authority_that_the_system_does_not_know(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(UnreachableError, match=r"(?i)certificate verify failed"):
        discovery_file.read(f"{server}/discovery.conf")
