"""Speak TLS over any byte stream, with an end to every wait."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kubeadm_py.pki import pem
from kubeadm_py.pki.kubeconfig import ClusterEntry

_CHUNK = 16 << 10
_Result = TypeVar("_Result")


class Stream(Protocol):
    """Carry bytes to a server: a socket, or transport's ByteStream."""

    def sendall(self, data: bytes, /) -> Any:
        """Send all of `data`."""

    def recv(self, size: int, /) -> bytes:
        """Return up to `size` bytes; empty at the end."""

    def close(self) -> None:
        """Close both directions."""


class TLSStream:
    """Wrap a stream in TLS on the client's side; reading ends where the stream does."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, server_name: str) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._drive(self._tls.do_handshake)

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._drive(lambda: self._tls.write(rest)) :]  # noqa: B023 - called at once

    def peer_certificate(self) -> bytes:
        """Return the server's certificate in DER form, whether it is trusted or not."""
        return self._tls.getpeercert(binary_form=True) or b""

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer with what there is; 0 at the end, polite or not."""
        try:
            data = self._drive(lambda: self._tls.read(len(buffer)))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        buffer[: len(data)] = data
        return len(data)

    def _drive(self, operation: Callable[[], _Result]) -> _Result:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._stream.recv(_CHUNK)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._stream.sendall(data)


@contextlib.contextmanager
def deadline(stream: Stream, seconds: float) -> Iterator[threading.Event]:
    """Cut the stream when time is up, which ends whatever waits on it; the event tells that it was so.

    Streams have no time-out of their own in common, and one on each `recv` would not stop a slow drip.
    """
    expired = threading.Event()

    def cut() -> None:
        expired.set()
        # close() alone does not wake a thread that waits in a socket's recv().
        shutdown = getattr(stream, "shutdown", None)
        with contextlib.suppress(OSError, EOFError):
            if shutdown is not None:
                shutdown(2)
        with contextlib.suppress(OSError, EOFError):
            stream.close()

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def unverified_context() -> ssl.SSLContext:
    """Return a context that trusts anybody, for the first look at cluster-info."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verified_context(ca_pem: bytes | None) -> ssl.SSLContext:
    """Return a context that trusts these CAs only, as Go would; None: the system's.

    Raise KubeadmPyError where `ca_pem` holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    if ca_pem is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        trusted = pem.encode(pem.certificates(ca_pem, "the cluster's CA bundle"))
        context.load_verify_locations(cadata=trusted.decode("ascii"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # Go trusts an intermediate CA in the bundle
    return context


def log_in(context: ssl.SSLContext, cluster: ClusterEntry) -> None:
    """Give a context the client certificate of a kubeconfig, if it has one."""
    if cluster.client_certificate_pem is None or cluster.client_key is None:
        return
    with tempfile.TemporaryDirectory() as folder:  # Python's ssl reads certificates from files only; 0700
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_bytes(cluster.client_certificate_pem + b"\n" + cluster.client_key.reveal())
        context.load_cert_chain(path)
