"""Read the ConfigMap kube-public/cluster-info, waiting for it with a reason and an end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.token import errors, jws

_Found = TypeVar("_Found")

PATH = "/api/v1/namespaces/kube-public/configmaps/cluster-info"

Fetch = Callable[[str, bytes | None], tuple[int, bytes]]
"""GET a URL path: (path, CA to verify the server with, or None not to) -> (HTTP status, body).

It raises EndpointUnreachableError where nothing answers, and other errors of token.errors for TLS.
"""


@dataclass(frozen=True, slots=True)
class Clock:
    """Hold how to wait; `told` hears why, whenever the reason changes."""

    now: Callable[[], float]
    sleep: Callable[[float], None]
    told: Callable[[str], None] = lambda _reason: None


@dataclass(frozen=True, slots=True)
class Patience:
    """Hold how long to wait, in seconds."""

    deadline: float = 300.0
    """For everything together: kubeadm's timeouts.discovery."""
    unsigned: float = 20.0
    """For the signature of a token that is a moment old; after that its id counts as unknown."""
    first_interval: float = 0.2
    interval: float = 5.0
    """Attempts begin `first_interval` apart and double up to this, kubeadm's interval."""


class _NotYetError(Exception):
    """Carry why an attempt has to be repeated and the error to end with when time is up."""

    def __init__(self, error: KubeadmPyError) -> None:
        self.error = error
        super().__init__(error.summary)


class ClusterInfoReader:
    """Read cluster-info from one endpoint; all that is read shares one deadline."""

    def __init__(self, fetch: Fetch, endpoint: str, clock: Clock, patience: Patience) -> None:
        self.endpoint = endpoint
        self._fetch = fetch
        self._clock = clock
        self._patience = patience
        self._ends = clock.now() + patience.deadline
        self._unsigned_since: float | None = None

    def read_signed(self, token_id: str, ca_pem: bytes | None) -> tuple[bytes, str]:
        """Return (kubeconfig, signature) once cluster-info carries one for this token id."""

        def attempt() -> tuple[bytes, str]:
            data = self._data(ca_pem)
            if data is None:
                raise _NotYetError(self._refused())
            signature = data.get(f"{jws.KEY_PREFIX}{token_id}")
            if not isinstance(signature, str):
                raise self._unsigned(token_id)
            return self._kubeconfig(data), signature

        return self._poll(attempt)

    def read(self, ca_pem: bytes | None) -> bytes | None:
        """Return the kubeconfig in cluster-info; None where reading it is forbidden."""

        def attempt() -> bytes | None:
            data = self._data(ca_pem)
            return None if data is None else self._kubeconfig(data)

        return self._poll(attempt)

    def _poll(self, attempt: Callable[[], _Found]) -> _Found:
        interval = self._patience.first_interval
        told = ""
        while True:
            try:
                return attempt()
            except _NotYetError as waiting:
                error = waiting.error
            except errors.EndpointUnreachableError as unreachable:
                error = unreachable
            if self._clock.now() + interval > self._ends:
                raise error
            if error.summary != told:
                told = error.summary
                self._clock.told(told)
            self._clock.sleep(interval)
            interval = min(interval * 2, self._patience.interval)

    def _data(self, ca_pem: bytes | None) -> Mapping[str, Any] | None:
        """Return the ConfigMap's data; None where reading it is forbidden."""
        status, body = self._fetch(PATH, ca_pem)
        if status == 429 or status >= 500:
            raise _NotYetError(self._not_ready(f"{self.endpoint} answers with HTTP status {status}"))
        document = self._json(status, body)
        if status == 404:
            raise _NotYetError(self._not_ready(f"{self.endpoint} has no cluster-info (yet)"))
        if status == 401:
            raise self._refused()
        if status == 403:
            return None
        data = document.get("data")
        if status != 200 or document.get("kind") != "ConfigMap" or not isinstance(data, dict):
            raise self._stranger(f"it answers with HTTP status {status}")
        return data

    def _json(self, status: int, body: bytes) -> Mapping[str, Any]:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.get("kind") not in ("ConfigMap", "Status"):
            raise self._stranger(f"what it sends with HTTP status {status} is not a Kubernetes object")
        return document

    def _kubeconfig(self, data: Mapping[str, Any]) -> bytes:
        content = data.get("kubeconfig")
        if not isinstance(content, str):
            raise _NotYetError(self._not_ready(f"the cluster-info of {self.endpoint} holds no kubeconfig"))
        return content.encode()

    def _unsigned(self, token_id: str) -> Exception:
        now = self._clock.now()
        if self._unsigned_since is None:
            self._unsigned_since = now
        error = errors.UnknownTokenError(
            f"the cluster at {self.endpoint} does not know a token with the id {token_id}",
            details=["it has expired, was deleted, or belongs to another cluster"],
            fix=errors.NEW_TOKEN,
        )
        return error if now - self._unsigned_since >= self._patience.unsigned else _NotYetError(error)

    def _not_ready(self, found: str) -> KubeadmPyError:
        return errors.DiscoveryTimeoutError(
            found,
            fix="See on a control-plane host whether the cluster is up: kubectl get --raw='/readyz?verbose'",
        )

    def _refused(self) -> KubeadmPyError:
        return errors.AnonymousRefusedError(
            f"{self.endpoint} does not let this client read cluster-info",
            details=["token discovery needs anonymous access to it (--anonymous-auth and its Role)"],
            fix="Use file discovery with credentials: --discovery-file FILE",
        )

    def _stranger(self, found: str) -> KubeadmPyError:
        return errors.NotAnAPIServerError(
            f"{self.endpoint} is not a Kubernetes API server: {found}",
            fix="Check the address and the port; the API server's default port is 6443.",
        )
