"""Fetch from real servers on the loopback interface, well-behaved and hostile ones."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.kubeconfig import ClusterEntry
from kubeadm_py.pki.requests import CertificateRequest, kubeconfig_requests, leaf_requests
from kubeadm_py.token import errors
from kubeadm_py.token.cluster_info import PATH, Clock, Patience
from kubeadm_py.token.discovery import discover
from kubeadm_py.token.fetch import MAXIMUM_BODY, TLSFetch

Serve = Callable[[socket.socket], None]


class LoopbackServer:
    """Hand each connection to `serve` in a thread of its own."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None) -> None:
        self.requests: list[bytes] = []
        self.peers: list[dict | None] = []
        self._serve, self._context = serve, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def open_stream(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port)) as stream:
            yield stream

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is None:
                self._serve(connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as wrapped:
                received = b""
                while b"\r\n\r\n" not in received:
                    more = wrapped.recv(65536)
                    if not more:
                        return
                    received += more
                self.requests.append(received)
                self.peers.append(wrapped.getpeercert())
                self._serve(wrapped)


def sends(*chunks: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        for chunk in chunks:
            connection.sendall(chunk)

    return serve


def response(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def request_for(cluster: ResolvedCluster) -> CertificateRequest:
    return leaf_requests(cluster, cluster.nodes[0])[0]


@pytest.fixture
def context(tmp_path: Path, authorities: Authorities) -> Callable[[CertificateRequest], ssl.SSLContext]:
    def make(request: CertificateRequest) -> ssl.SSLContext:
        certificate, key = authorities.sign(request)
        (tmp_path / "server.pem").write_bytes(certificate + key)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(tmp_path / "server.pem")
        return made

    return make


@pytest.fixture
def start(context, request_for: CertificateRequest) -> Iterator[Callable[..., LoopbackServer]]:
    with contextlib.ExitStack() as stack:

        def run(serve: Serve, *, tls: bool = True, request: CertificateRequest = request_for, **options):
            chosen = context(request) if tls else None
            for name, value in options.items():
                setattr(chosen, name, value)
            server = LoopbackServer(serve, chosen)
            stack.callback(server.stop)
            return server

        yield run


def fetch(server: LoopbackServer, ca_pem: bytes | None = None, **options) -> tuple[int, bytes]:
    options.setdefault("timeout", 10)
    options.setdefault("endpoint", server.endpoint)
    return TLSFetch(server.open_stream, **options)(PATH, ca_pem)


def test_a_verified_get(start, authorities: Authorities) -> None:
    server = start(sends(response(b"hello")))
    assert fetch(server, authorities.ca_pem()) == (200, b"hello")
    (received,) = server.requests
    lines = received.decode().split("\r\n")
    assert lines[0] == f"GET {PATH} HTTP/1.1"
    assert f"Host: {server.endpoint}" in lines
    assert not any(line.startswith("Authorization") for line in lines)


def test_the_first_look_trusts_anybody_but_says_nothing(start, request_for: CertificateRequest) -> None:
    stranger = replace(request_for, ip_addresses=(), dns_names=("elsewhere",), validity=timedelta(minutes=-1))
    server = start(sends(response(b"hello", "404 Not Found")), request=stranger)
    assert fetch(server) == (404, b"hello")


def test_chunked_and_slowly_sent_answers(start, authorities: Authorities) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    server = start(sends(*(chunked[place : place + 1] for place in range(len(chunked)))))
    assert fetch(server, authorities.ca_pem()) == (200, b"hello world")


def test_a_large_answer(start, authorities: Authorities) -> None:
    body = bytes(range(256)) * 4096
    assert fetch(start(sends(response(body))), authorities.ca_pem()) == (200, body)


def test_several_requests_on_one_connection(start, authorities: Authorities) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(response(b"first"))
        seen.append(connection.recv(65536))
        connection.sendall(response(b"second", "201 Created"))

    server = start(serve)
    with TLSFetch(server.open_stream, server.endpoint).session(authorities.ca_pem(), timeout=10) as ask:
        assert ask("GET", "/one") == (200, b"first")
        assert ask("POST", "/two", {"a": 1}) == (201, b"second")
    assert len(server.requests) == 1, "no second connection"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /two HTTP/1.1"
    assert b"Content-Length: 8" in head.splitlines()
    assert body == b'{"a": 1}'


def test_an_answer_until_the_end_of_the_connection(start, authorities: Authorities) -> None:
    server = start(sends(b"HTTP/1.1 200 OK\r\n\r\nhello"))
    assert fetch(server, authorities.ca_pem()) == (200, b"hello")


def test_tls_1_2(start, authorities: Authorities) -> None:
    server = start(sends(response(b"hello")), maximum_version=ssl.TLSVersion.TLSv1_2)
    assert fetch(server, authorities.ca_pem()) == (200, b"hello")


def test_another_ca(start, other_authorities: Authorities) -> None:
    server = start(sends(response(b"hello")))
    with pytest.raises(errors.UntrustedCertificateError, match="is not signed by the cluster's CA") as caught:
        fetch(server, other_authorities.ca_pem())
    assert "load balancer" in caught.value.fix
    assert server.requests == []


def test_a_bundle_with_the_right_ca(start, authorities: Authorities, other_authorities: Authorities) -> None:
    bundle = other_authorities.ca_pem() + authorities.ca_pem()
    assert fetch(start(sends(response(b"hello"))), bundle) == (200, b"hello")


@pytest.mark.parametrize(
    "names", [{"ip_addresses": ("127.0.0.2",)}, {"ip_addresses": (), "dns_names": ("x",)}]
)
def test_a_certificate_for_another_endpoint(
    start, authorities: Authorities, request_for: CertificateRequest, names: dict
) -> None:
    server = start(sends(response(b"hello")), request=replace(request_for, **names))
    with pytest.raises(errors.WrongEndpointError, match=r"is not for 127\.0\.0\.1") as caught:
        fetch(server, authorities.ca_pem())
    assert "apiServer.certSANs" in caught.value.fix


def test_host_names_are_checked_too(start, authorities: Authorities) -> None:
    server = start(sends(response(b"hello")))
    ca_pem = authorities.ca_pem()
    assert fetch(server, ca_pem, endpoint=f"kubernetes.default:{server.port}") == (200, b"hello")
    with pytest.raises(errors.WrongEndpointError, match=r"is not for other\.example\.test"):
        fetch(server, ca_pem, endpoint=f"other.example.test:{server.port}")


def test_the_common_name_is_no_host_name(
    start, authorities: Authorities, request_for: CertificateRequest
) -> None:
    request = replace(request_for, common_name="api.example.test", dns_names=(), ip_addresses=())
    server = start(sends(response(b"hello")), request=request)
    with pytest.raises(errors.WrongEndpointError):
        fetch(server, authorities.ca_pem(), endpoint=f"api.example.test:{server.port}")


@pytest.mark.parametrize(
    ("started", "message"), [(timedelta(days=-60), "expired"), (timedelta(days=2), "not yet valid")]
)
def test_a_certificate_out_of_its_time(
    start,
    authorities: Authorities,
    cluster: ResolvedCluster,
    request_for: CertificateRequest,
    tmp_path: Path,
    now: datetime,
    started: timedelta,
    message: str,
) -> None:
    server = start(sends(response(b"hello")))
    from kubeadm_py.pki.requests import authority_requests

    pair = authorities.sign(authority_requests(cluster)[0])
    then = Authorities.from_existing({"ca": pair}, now=now + started)
    certificate, key = then.sign(request_for)
    (tmp_path / "then.pem").write_bytes(certificate + key)
    server._context.load_cert_chain(tmp_path / "then.pem")
    with pytest.raises(errors.CertificateTimeError, match=message):
        fetch(server, authorities.ca_pem())


def test_a_ca_that_is_none(start) -> None:
    with pytest.raises(KubeadmPyError, match="holds no certificate"):
        fetch(start(sends(response(b"hello"))), b"junk")


PLAIN = {
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", errors.NoTLSError),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", errors.NoTLSError),
    "noise": (bytes(range(256)) * 4, errors.NoTLSError),
    "nothing": (b"", errors.EndpointUnreachableError),
}


@pytest.mark.parametrize(("greeting", "kind"), PLAIN.values(), ids=PLAIN)
def test_what_does_not_speak_tls(start, greeting: bytes, kind: type) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        if greeting:
            connection.recv(65536)

    with pytest.raises(kind) as caught:
        fetch(start(serve, tls=False))
    assert caught.value.fix


NOT_HTTP = {
    "another protocol": (b"220 mail.example.test ESMTP\r\n", errors.NotAnAPIServerError),
    "long line": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n", errors.NotAnAPIServerError),
    "too large": (
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAXIMUM_BODY + 1),
        errors.NotAnAPIServerError,
    ),
    "cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", errors.EndpointUnreachableError),
    "no answer": (b"", errors.EndpointUnreachableError),
}


@pytest.mark.parametrize(("answer", "kind"), NOT_HTTP.values(), ids=NOT_HTTP)
def test_what_does_not_speak_http(start, authorities: Authorities, answer: bytes, kind: type) -> None:
    with pytest.raises(kind):
        fetch(start(sends(answer)), authorities.ca_pem())


@pytest.mark.parametrize("stage", ["handshake", "answer", "drip"])
def test_a_server_that_does_not_answer(start, authorities: Authorities, stage: str) -> None:
    """The deadline is for the whole request, so that a byte now and then does not help."""

    def hang(connection: socket.socket) -> None:
        connection.settimeout(20)
        if stage == "drip":
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.02)
        connection.recv(65536)
        while stage == "handshake" and connection.recv(65536):
            pass

    server = start(hang, tls=stage != "handshake")
    began = time.monotonic()
    with pytest.raises(errors.EndpointUnreachableError, match=r"no answer within 0\.3 s"):
        fetch(server, authorities.ca_pem(), timeout=0.3)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionRefusedError(111, "refused"), "the connection is refused"),
        (TimeoutError(), "the connection times out"),
        (socket.gaierror(-2, "unknown"), "the name cannot be resolved"),
        (EOFError(), "the connection is cut off"),
        (OSError(113, "no route"), "the connection is cut off"),
    ],
)
def test_streams_that_do_not_open(error: Exception, message: str) -> None:
    @contextlib.contextmanager
    def open_stream() -> Iterator[socket.socket]:
        raise error
        yield

    with pytest.raises(errors.EndpointUnreachableError, match=message) as caught:
        TLSFetch(open_stream, "[fd00::1]")(PATH, None)
    assert caught.value.summary.startswith("[fd00::1]:6443 cannot be reached from the joining host")


def test_a_lost_ssh_connection_stays_one() -> None:
    lost = UnreachableError("the connection was lost", host="w1")

    @contextlib.contextmanager
    def open_stream() -> Iterator[socket.socket]:
        raise lost
        yield

    with pytest.raises(UnreachableError) as caught:
        TLSFetch(open_stream, "h:1")(PATH, None)
    assert caught.value is lost


class BareStream:
    """A stream that has nothing but what the protocol asks for, like a tunnel's."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self.sendall, self.recv = inner.sendall, inner.recv

    def close(self) -> None:
        self._inner.shutdown(socket.SHUT_RDWR)


def test_a_stream_without_shutdown_is_closed_at_the_deadline(start, authorities: Authorities) -> None:
    server = start(lambda connection: connection.recv(65536))

    @contextlib.contextmanager
    def open_stream() -> Iterator[BareStream]:
        with server.open_stream() as inner:
            yield BareStream(inner)

    with pytest.raises(errors.EndpointUnreachableError, match="no answer within"):
        TLSFetch(open_stream, server.endpoint, timeout=0.3)(PATH, authorities.ca_pem())


def discovery_file(**fields: object) -> ClusterEntry:
    return ClusterEntry(name="", server="https://x", **fields)


def test_a_discovery_files_token_and_server_name(start, authorities: Authorities) -> None:
    server = start(sends(response(b"hello")))
    entry = discovery_file(token=Secret("t0ken"), tls_server_name="kubernetes")
    answer = fetch(server, authorities.ca_pem(), endpoint=f"other:{server.port}", cluster=entry)
    assert answer == (200, b"hello")
    assert b"\r\nAuthorization: Bearer t0ken\r\n" in server.requests[0]


def test_a_discovery_files_client_certificate(
    start, authorities: Authorities, cluster: ResolvedCluster, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authorities.ca_pem())
    certificate, key = authorities.sign(kubeconfig_requests(cluster, cluster.nodes[0])[0].certificate)
    server = start(sends(response(b"hello")))
    server._context.verify_mode = ssl.CERT_REQUIRED
    server._context.load_verify_locations(tmp_path / "ca.pem")
    entry = discovery_file(client_certificate_pem=certificate, client_key=Secret(key))
    assert fetch(server, authorities.ca_pem(), cluster=entry) == (200, b"hello")
    assert ((("commonName", "kubernetes-admin"),)) in server.peers[0]["subject"]


def test_a_discovery_file_without_a_ca_trusts_the_system_only(start) -> None:
    with pytest.raises(errors.UntrustedCertificateError):
        fetch(start(sends(response(b"hello"))), None, cluster=discovery_file())


def test_the_whole_of_discovery_over_tls(start, authorities: Authorities, config_map, token: Secret) -> None:
    def serve(connection: socket.socket) -> None:
        server_url = f"https://127.0.0.1:{server.port}"
        connection.sendall(response(config_map(authorities.ca_pem(), server=server_url)))

    server = start(serve)
    clock = Clock(now=time.monotonic, sleep=time.sleep)
    found = discover(
        TLSFetch(server.open_stream, server.endpoint, timeout=10),
        server.endpoint,
        token,
        [pem.public_key_sha256(authorities.ca_pem())],
        clock=clock,
        patience=Patience(deadline=20),
    )
    assert (found.server, found.ca_pem) == (f"https://{server.endpoint}", authorities.ca_pem())
    assert len(server.requests) == 2


def test_a_man_in_the_middle_who_repeats_cluster_info(
    start, authorities: Authorities, other_authorities: Authorities, config_map, token: Secret
) -> None:
    """cluster-info is public: whoever relays it passes the signature and the pin, but not the second look."""
    genuine = config_map(other_authorities.ca_pem())
    server = start(sends(response(genuine)))
    clock = Clock(now=time.monotonic, sleep=time.sleep)
    with pytest.raises(errors.UntrustedCertificateError):
        discover(
            TLSFetch(server.open_stream, server.endpoint, timeout=10),
            server.endpoint,
            token,
            [pem.public_key_sha256(other_authorities.ca_pem())],
            clock=clock,
        )
    assert len(server.requests) == 1
