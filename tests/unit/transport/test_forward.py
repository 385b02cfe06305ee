"""A port of this machine that answers with what a host reaches."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from kubeadm_py.errors import UnreachableError
from kubeadm_py.transport.fake import FakeHost
from kubeadm_py.transport.forward import LOOPBACK, Forward

TARGET = ("10.96.0.20", 80)


class Serving:
    """A forward that serves from a thread, as the verb does from its own."""

    def __init__(self, host: FakeHost) -> None:
        self.told: list[str] = []
        self.forward = Forward(host, *TARGET, local_port=0, told=self.told.append)
        self.thread = threading.Thread(target=self.forward.serve_forever, kwargs={"poll_interval": 0.01})

    def client(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.forward.local_port), 10)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost("cp1")


@pytest.fixture
def serving(host: FakeHost) -> Iterator[Serving]:
    made = Serving(host)
    made.thread.start()
    with made.forward:
        yield made
        made.forward.shutdown()
    made.thread.join(10)


def far_side(host: FakeHost) -> socket.socket:
    """Give the host a tunnel and return what is at its other end."""
    near, far = socket.socketpair()
    near.settimeout(0.05)
    far.settimeout(10)
    host.tunnels[TARGET] = near
    return far


def read_all(sock: socket.socket) -> bytes:
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            content += data
    return content


def test_bytes_go_both_ways_and_pauses_end_nothing(host, serving):
    far = far_side(host)
    with serving.client() as client, far:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert far.recv(65536) == b"GET / HTTP/1.1\r\n\r\n"
        # Longer than the tunnel's own time-out.
        threading.Event().wait(0.2)
        page = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(300_000)
        sender = threading.Thread(target=lambda: (far.sendall(page), far.shutdown(socket.SHUT_RDWR)))
        sender.start()
        assert read_all(client) == page
        sender.join(10)


def test_a_client_that_leaves_ends_its_tunnel(host, serving):
    far = far_side(host)
    with far:
        serving.client().close()
        assert read_all(far) == b""


def test_what_refuses_is_told_and_the_port_stays_open(host, serving):
    for _ in range(2):
        with serving.client() as client:
            assert read_all(client) == b""
    assert serving.told == ["cp1: 10.96.0.20 80 refuses connections"] * 2
    assert serving.thread.is_alive()


def test_a_lost_connection_ends_it_with_the_reason(host, serving):
    host.lost = True
    with serving.client() as client:
        assert read_all(client) == b""
    serving.thread.join(10)
    assert not serving.thread.is_alive()
    assert isinstance(serving.forward.lost, UnreachableError)


def test_nobody_else_reaches_it(serving):
    assert serving.forward.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_an_os_error(host):
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(OSError, match="in use"):
        Forward(host, *TARGET, local_port=taken.getsockname()[1], told=print)
