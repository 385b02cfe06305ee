"""Ask an API server over a byte stream that others opened: TLS and HTTP/1.1."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.networking import join_host_port, split_host_port
from kubeadm_py.pki.kubeconfig import ClusterEntry
from kubeadm_py.token import errors
from kubeadm_py.token.tls_stream import (
    Stream,
    TLSStream,
    deadline,
    log_in,
    unverified_context,
    verified_context,
)

OpenStream = Callable[[], AbstractContextManager[Stream]]
Ask = Callable[..., tuple[int, bytes]]
"""Sends (method, path, body for JSON or None) and returns (HTTP status, body)."""

MAXIMUM_BODY = 4 << 20
REQUEST_TIMEOUT = 10.0
_PORT_HINT = "Check the address and the port; the API server's default port is 6443."
_NAME_MISMATCHES = (62, 64)
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_TIME_ERRORS = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class _OneAnswer:
    """Stand for a socket towards HTTPResponse, which closes what it has read: the stream goes on."""

    def __init__(self, stream: TLSStream) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Unclosed(self._stream))


class _Unclosed(io.RawIOBase):
    def __init__(self, stream: TLSStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._stream.readinto(buffer)


class TLSFetch:
    """GET paths of one API server, each over a stream of its own: a `Fetch` for discovery.

    `endpoint` is HOST[:PORT]; the server's certificate must be for this host. `timeout` is for one request,
    in seconds. With `cluster` (of a discovery file) its credentials and tls-server-name are used, and
    without a CA the system's trust store decides instead of nobody.
    """

    def __init__(
        self,
        open_stream: OpenStream,
        endpoint: str,
        *,
        cluster: ClusterEntry | None = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        host, port = split_host_port(endpoint)
        self._open_stream = open_stream
        self._endpoint = join_host_port(host, port)
        self._server_name = (cluster.tls_server_name if cluster else "") or host
        self._cluster = cluster
        self._timeout = timeout

    def __call__(self, path: str, ca_pem: bytes | None) -> tuple[int, bytes]:
        """Return (HTTP status, body); raise as cluster_info.Fetch says."""
        with self.session(ca_pem, timeout=self._timeout) as ask:
            return ask("GET", path)

    @contextmanager
    def session(self, ca_pem: bytes | None, *, timeout: float) -> Iterator[Ask]:
        """Keep one stream for several requests, `timeout` seconds for all of them; raise as a call does."""
        context = self._context(ca_pem)
        expired = threading.Event()
        try:
            with self._open_stream() as stream, deadline(stream, timeout) as expired:
                tls = TLSStream(stream, context, self._server_name)
                yield lambda method, path, body=None: self._ask(tls, method, path, body)
        except KubeadmPyError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise self._certificate_error(error) from None
        except (OSError, EOFError, http.client.HTTPException) as error:
            if expired.is_set():
                raise self._unreachable(f"no answer within {timeout:g} s") from None
            raise self._classified(error) from None

    def _ask(self, stream: TLSStream, method: str, path: str, body: Any) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Host": self._endpoint, "Accept": "application/json", "User-Agent": "kubeadm-py"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if self._cluster is not None and self._cluster.token is not None:
            headers["Authorization"] = f"Bearer {self._cluster.token.text()}"
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        stream.send("\r\n".join(lines).encode() + content)
        response = http.client.HTTPResponse(cast("socket.socket", _OneAnswer(stream)), method=method)
        response.begin()
        answer = response.read(MAXIMUM_BODY + 1)
        if len(answer) > MAXIMUM_BODY:
            raise self._stranger(f"its answer is larger than {MAXIMUM_BODY >> 20} MiB")
        if response.length:  # what Content-Length promised and read(), given a limit, does not miss
            raise http.client.IncompleteRead(answer, response.length)
        return response.status, answer

    def _context(self, ca_pem: bytes | None) -> ssl.SSLContext:
        if ca_pem is None and self._cluster is None:
            return unverified_context()
        context = verified_context(ca_pem)
        if self._cluster is not None:
            log_in(context, self._cluster)
        return context

    def _classified(self, error: Exception) -> KubeadmPyError:
        """Tell what may pass (nothing listens yet) from what will not (this is no API server)."""
        if isinstance(error, ConnectionRefusedError):
            return self._unreachable("the connection is refused")
        if isinstance(error, TimeoutError):
            return self._unreachable("the connection times out")
        if isinstance(error, socket.gaierror):
            return self._unreachable("the name cannot be resolved")
        ended = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ended):
            return errors.NoTLSError(
                f"{self._endpoint} does not speak TLS as an API server does",
                details=[error.reason or "the TLS handshake failed"],
                fix=_PORT_HINT,
            )
        if isinstance(error, http.client.HTTPException) and not isinstance(
            error, http.client.RemoteDisconnected | http.client.IncompleteRead
        ):
            return self._stranger("it does not speak HTTP")
        return self._unreachable("the connection is cut off")

    def _certificate_error(self, error: ssl.SSLCertVerificationError) -> KubeadmPyError:
        if error.verify_code in _NAME_MISMATCHES:
            return errors.WrongEndpointError(
                f"the API server's certificate is not for {self._server_name}",
                fix=f"Use an endpoint that the certificate names, or add {self._server_name} to"
                " apiServer.certSANs and make the certificate anew.",
            )
        if error.verify_code in _TIME_ERRORS:
            return errors.CertificateTimeError(
                f"the certificate of {self._endpoint} is not valid at this time: {error.verify_message}",
                fix="Compare the clocks of this machine and of the control plane; renew what has expired.",
            )
        return errors.UntrustedCertificateError(
            f"the certificate of {self._endpoint} is not signed by the cluster's CA: {error.verify_message}",
            fix="Find out what answers there; a load balancer must pass TLS through to the API servers.",
        )

    def _stranger(self, found: str) -> KubeadmPyError:
        return errors.NotAnAPIServerError(
            f"{self._endpoint} is not a Kubernetes API server: {found}", fix=_PORT_HINT
        )

    def _unreachable(self, found: str) -> KubeadmPyError:
        return errors.EndpointUnreachableError(
            f"{self._endpoint} cannot be reached from the joining host: {found}",
            fix="Check that the API server runs there and that no firewall is in the way.",
        )
