"""Download over HTTP: checked, and going on where a connection was cut."""

from __future__ import annotations

import fcntl
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubeadm_py import __version__
from kubeadm_py.artifacts import cache
from kubeadm_py.artifacts.redirects import Redirects
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.urls import proves_itself

TRIES = 4
TIMEOUT_SECONDS = 30.0
"""Without a byte for this long a connection counts as cut."""
MIRROR_HINT = "or name a mirror, or a bundle: spec.artifacts in the config"
_CHUNK = 1 << 18
_TEXT_LIMIT = 1 << 20

Pause = Callable[[float], None]
"""Wait so many seconds before the next try."""
Open = Callable[[urllib.request.Request], Any]
"""Send a request and return the answer; raise what urllib raises."""


class DownloadError(KubeadmPyError):
    """Report a release that could not be downloaded or is not what its checksum says."""


def open_checked(request: urllib.request.Request) -> Any:
    """Ask a server that proves itself; redirects lead nowhere else."""
    return urllib.request.build_opener(Redirects(redirect_rule)).open(request, timeout=TIMEOUT_SECONDS)


def download(
    url: str,
    target: Path,
    sha256: str,
    pause: Pause = time.sleep,
    *,
    open_: Open = open_checked,
    said_by: str = "its publisher lists",
) -> None:
    """Download to `target`, going on where an earlier try, or an earlier run, was cut off.

    Nothing is asked where the file is there already. `said_by` tells where the digest is from. Raise
    DownloadError with the URL and the cause.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    with target.with_name(f"{target.name}.lock").open("wb") as lock:
        # Another run on this machine may be at the same file: its bytes are as good as ours.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target.is_file() and cache.sha256_file(target) == sha256):
            _download_alone(url, target, partial, sha256, pause, open_, said_by)


def _download_alone(
    url: str, target: Path, partial: Path, sha256: str, pause: Pause, open_: Open, said_by: str
) -> None:
    cause = ""
    for turn in range(TRIES):
        if turn:
            pause(2.0**turn)
        try:
            _append(url, partial, open_)
        except _Cut as error:
            cause = str(error)
            continue
        if cache.sha256_file(partial) == sha256:
            partial.replace(target)
            return
        partial.unlink()
        raise DownloadError(
            f"{url} does not have the SHA-256 that {said_by}; what came was deleted",
            details=[f"expected {sha256}"],
            fix=f"check the proxy or mirror in between and try again, {MIRROR_HINT}",
        )
    raise DownloadError(
        f"{url} could not be downloaded in {TRIES} tries: {cause}",
        fix=f"run the same command again: it goes on where it was cut off; {MIRROR_HINT}",
    )


def redirect_rule(source: str, target: str) -> Exception | None:
    """Follow redirects, as GitHub answers with one, yet never to where an answer proves nothing any more.

    Plain http is refused, from https even to this very machine.
    """
    if proves_itself(target) and (not source.startswith("https:") or target.startswith("https:")):
        return None
    return DownloadError(
        f"{source} sends on to {target}, which is not https",
        fix=f"check the proxy or mirror in between, {MIRROR_HINT}",
    )


class _Cut(Exception):
    """Say that a connection failed or ended early: worth another try."""


def _append(url: str, partial: Path, open_: Open) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = _request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with open_(request) as answer:
            # A server that does not know ranges answers 200 with the whole file.
            resumed = have > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
            with partial.open("ab" if resumed else "wb") as file:
                expected = answer.headers.get("Content-Length")
                length = 0
                # read1: what came before a connection fell silent is not lost.
                while chunk := answer.read1(_CHUNK):
                    file.write(chunk)
                    length += len(chunk)
        if expected is not None and length < int(expected):
            raise _Cut(f"the connection ended after {length} of {expected} bytes")
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            return
        raise _refused(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        refuse_certificate(url, error)
        raise _Cut(_cause(error)) from error


def text(url: str, pause: Pause = time.sleep) -> str:
    """Return what a small file says; raise DownloadError."""
    return content(url, _TEXT_LIMIT, pause).decode("utf-8", "replace")


def content(url: str, limit: int, pause: Pause = time.sleep) -> bytes:
    """Return at most `limit` bytes of a file; raise DownloadError."""
    cause = ""
    for turn in range(TRIES):
        if turn:
            pause(2.0**turn)
        try:
            with open_checked(_request(url)) as answer:
                read: bytes = answer.read(limit)
                return read
        except urllib.error.HTTPError as error:
            try:
                raise _refused(url, error) from error
            except _Cut as cut:
                cause = str(cut)
        except (OSError, http.client.HTTPException) as error:
            refuse_certificate(url, error)
            cause = _cause(error)
    raise DownloadError(
        f"{url} could not be read in {TRIES} tries: {cause}",
        fix=f"check the network and the proxy of this machine, {MIRROR_HINT}",
    )


def refuse_certificate(url: str, error: BaseException) -> None:
    """Raise DownloadError where a server's certificate is not believed: another try would find the same."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        raise DownloadError(
            f"{url}: the server's certificate is not trusted: {reason.verify_message}",
            fix="make its CA known, where it is right: SSL_CERT_FILE, or caFile in spec.registries",
        ) from error


def _request(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"User-Agent": f"kubeadm-py/{__version__}"})  # noqa: S310


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    error.close()
    if error.code == http.HTTPStatus.NOT_FOUND:
        return DownloadError(
            f"{url} does not exist (404)",
            fix=f"check kubernetesVersion: was it released, and does a mirror hold it? {MIRROR_HINT}",
        )
    if (
        error.code in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.REQUEST_TIMEOUT)
        or error.code >= 500
    ):
        return _Cut(f"the server answered {error.code} {error.reason}")
    return DownloadError(
        f"{url} was refused: {error.code} {error.reason}",
        fix=f"check the proxy and its rules, {MIRROR_HINT}",
    )


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(error).__name__
