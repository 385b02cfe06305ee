"""Answer on a port of this machine with what a host reaches: each connection is a tunnel of its own."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.transport.base import ByteStream, Host

LOOPBACK = "127.0.0.1"
_CONNECT_SECONDS = 20.0
_CHUNK = 65536


class Forward(socketserver.ThreadingTCPServer):
    """Listen on this machine's loopback address only; `told` gets what keeps a connection from its end."""

    daemon_threads = True
    allow_reuse_address = True
    # A browser opens many at once.
    request_queue_size = 64

    def __init__(
        self, host: Host, address: str, port: int, *, local_port: int, told: Callable[[str], object]
    ) -> None:
        """Bind the port; raise OSError where it is taken. 0 takes a free one."""
        self._host, self._address, self._port, self._told = host, address, port, told
        self.lost: KubeadmPyError | None = None
        """Why no more tunnel can be opened."""
        super().__init__((LOOPBACK, local_port), socketserver.BaseRequestHandler)

    @property
    def local_port(self) -> int:
        """Return the port that it listens on."""
        return int(self.server_address[1])

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], _client: object) -> None:
        """Carry one connection to its end."""
        assert isinstance(request, socket.socket)  # noqa: S101 - TCP has no other kind
        try:
            with self._host.tunnel(self._address, self._port, _CONNECT_SECONDS) as stream:
                _carry(request, stream)
        except (ConnectionRefusedError, TimeoutError) as error:
            self._told(str(error))
        except KubeadmPyError as error:
            self.lost = error
            # From the thread that serves, this would wait for itself.
            threading.Thread(target=self.shutdown, daemon=True).start()


def _carry(client: socket.socket, stream: ByteStream) -> None:
    """Pass bytes both ways until either side has ended."""
    answers = threading.Thread(target=_answers, args=(client, stream), daemon=True)
    answers.start()
    with contextlib.suppress(OSError):
        while data := client.recv(_CHUNK):
            stream.sendall(data)
    # Whoever still waits for an answer is told that none comes.
    stream.close()
    answers.join()


def _answers(client: socket.socket, stream: ByteStream) -> None:
    with contextlib.suppress(OSError):
        while True:
            try:
                data = stream.recv(_CHUNK)
            except TimeoutError:
                # Nothing to say for a while is no fault: somebody reads a page.
                continue
            if not data:
                break
            client.sendall(data)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
