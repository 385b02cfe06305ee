"""Ask image registries, as the OCI distribution specification has it: sign in, mirrors, private CAs."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from typing import Any

from kubeadm_py import __version__
from kubeadm_py.artifacts.download import (
    MIRROR_HINT,
    TIMEOUT_SECONDS,
    TRIES,
    DownloadError,
    Pause,
    redirect_rule,
    refuse_certificate,
)
from kubeadm_py.artifacts.redirects import Redirects
from kubeadm_py.errors import UsageError
from kubeadm_py.model.registries import Endpoint
from kubeadm_py.model.urls import proves_itself

_CHALLENGE = re.compile(r"\s*(Basic|Bearer)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_WORTH_A_TRY = (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.REQUEST_TIMEOUT)
_ANSWER_LIMIT = 1 << 20


class RegistryError(DownloadError):
    """Report what a registry refused or did not answer."""

    def __init__(
        self, summary: str, *, status: int = 0, details: tuple[str, ...] | list[str] = (), fix: str = ""
    ) -> None:
        super().__init__(summary, details=details, fix=fix)
        self.status = status


@dataclass(slots=True)
class _Token:
    value: str
    until: float


@dataclass
class Api:
    """Speak to one endpoint; safe to use from several threads."""

    endpoint: Endpoint
    pause: Pause = time.sleep
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, repository: str, rest: str) -> str:
        """Return the URL of something in a repository: `manifests/v1`, `blobs/sha256:...`."""
        return f"{self.endpoint.api}/{repository}/{rest}"

    def ask(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        accept: tuple[int, ...] = (),
    ) -> tuple[int, Message, bytes]:
        """Return status, headers and content of an answer that is small.

        `scope` is what is asked for: `repository:NAME:pull`. A status in `accept` is no error. Raise
        RegistryError; a connection that fails, or a server that is busy, is tried again.
        """
        cause = ""
        for turn in range(TRIES):
            if turn:
                self.pause(2.0**turn)
            request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310
            try:
                with self.open(request, scope) as answer:
                    return answer.status, answer.headers, answer.read(_ANSWER_LIMIT)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in accept:
                    return error.code, error.headers, b""
                if error.code not in _WORTH_A_TRY and error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise self.refusal(url, error) from error
                cause = f"the registry answered {error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:
                refuse_certificate(url, error)
                cause = str(getattr(error, "reason", None) or error) or type(error).__name__
        raise RegistryError(
            f"{url} could not be reached in {TRIES} tries: {cause}",
            fix=f"check the network and the proxy of this machine, {MIRROR_HINT}",
        )

    def open(self, request: urllib.request.Request, scope: str) -> Any:
        """Send a request with what the registry wants to see, signing in where it asks for that."""
        request.add_header("User-agent", f"kubeadm-py/{__version__}")
        self._authorize(request, scope)
        try:
            return self._opener.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.UNAUTHORIZED or _at_start(request):
                raise
            if not self._sign_in(error.headers.get_all("WWW-Authenticate") or [], scope):
                raise
            error.close()
        self._authorize(request, scope)
        return self._opener.open(request, timeout=TIMEOUT_SECONDS)

    def _authorize(self, request: urllib.request.Request, scope: str) -> None:
        with self._lock:
            token = self._tokens.get(scope) or self._tokens.get("")
        if token and token.until > time.monotonic():
            # Not for whoever a redirect leads to.
            request.add_unredirected_header("Authorization", token.value)

    def _sign_in(self, challenges: list[str], scope: str) -> bool:
        """Get what the next request shows; return whether there is anything to try."""
        for challenge in challenges:
            match = _CHALLENGE.match(challenge)
            if match and match[1].lower() == "bearer":
                self._keep(scope, self._token(dict(_PARAMETER.findall(match[2])), scope))
                return True
            if match and (basic := self._basic()):
                self._keep("", _Token(basic, float("inf")))
                return True
        return False

    def _keep(self, scope: str, token: _Token) -> None:
        with self._lock:
            self._tokens[scope] = token

    def _basic(self) -> str:
        credentials = self.endpoint.settings.credentials
        return f"Basic {base64.b64encode(credentials.reveal()).decode()}" if credentials else ""

    def _token(self, challenge: Mapping[str, str], scope: str) -> _Token:
        realm = challenge.get("realm", "")
        if not (proves_itself(realm) or (self.endpoint.settings.plain_http and realm.startswith("http://"))):
            raise RegistryError(
                f"{self.endpoint.url} sends to {realm!r} for a token, which is not https",
                fix="check the registry's settings and the proxy in between",
            )
        query = urllib.parse.urlencode({"service": challenge.get("service", ""), "scope": scope})
        request = urllib.request.Request(f"{realm}{'&' if '?' in realm else '?'}{query}")  # noqa: S310
        if basic := self._basic():
            request.add_unredirected_header("Authorization", basic)
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            try:
                document = json.loads(answer.read(_ANSWER_LIMIT))
                value = str(document.get("token") or document["access_token"])
                seconds = float(document.get("expires_in") or 60)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RegistryError(f"{realm} answered without a token") from error
        return _Token(f"Bearer {value}", time.monotonic() + max(seconds - 10, 5))

    def refusal(self, url: str, error: urllib.error.HTTPError) -> RegistryError:
        """Return what a person is told of an answer."""
        if error.code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            name = self.endpoint.registry
            given = self.endpoint.settings.credentials is not None
            why = "refused these credentials" if given else "wants credentials"
            return RegistryError(
                f"{url}: the registry {why} ({error.code})",
                status=error.code,
                fix=f"check spec.registries.{name}.credentialsFile, a file with one line USER:PASSWORD",
            )
        missing = error.code == http.HTTPStatus.NOT_FOUND
        return RegistryError(
            f"{url} {'does not exist (404)' if missing else f'was refused: {error.code} {error.reason}'}",
            status=error.code,
            fix=f"check the image's name and tag, {MIRROR_HINT}",
        )

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        plain = self.endpoint.url.startswith("http://")

        def rule(source: str, target: str) -> Exception | None:
            # Whoever asks in plain http was told so by the config.
            return None if plain and target.startswith("http://") else redirect_rule(source, target)

        handlers: list[urllib.request.BaseHandler] = [Redirects(rule)]
        if not plain:
            handlers.append(urllib.request.HTTPSHandler(context=_context(self.endpoint)))
        return urllib.request.build_opener(*handlers)


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if endpoint.settings.ca:
        try:
            context.load_verify_locations(cadata=endpoint.settings.ca.decode())
        except (ssl.SSLError, ValueError) as error:
            raise UsageError(
                f"spec.registries.{endpoint.registry}.caFile holds no certificate that can be read: {error}",
                fix="give the CA's certificate in PEM",
            ) from error
    return context


def _at_start(request: urllib.request.Request) -> bool:
    """Say whether the body of a request is a stream that was sent and cannot be sent again."""
    return request.data is not None and not isinstance(request.data, bytes)
