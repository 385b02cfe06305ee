"""Download official releases: checked, resumed where a connection was cut, and kept by content."""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from kubeadm_py import __version__
from kubeadm_py.artifacts import cache, official
from kubeadm_py.artifacts.official import Download
from kubeadm_py.artifacts.plan import ArtifactView, Decision, decide_binaries
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.cluster import ArtifactSource, Node, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.urls import proves_itself

AT_ONCE = 4
TRIES = 4
TIMEOUT_SECONDS = 30.0
"""Without a byte for this long a connection counts as cut."""
_CHUNK = 1 << 18
_CHECKSUM_LIMIT = 1 << 20
_MIRROR_HINT = "or name a mirror, or a bundle: spec.artifacts in the config"

Say = Callable[[str], None]


class DownloadError(KubeadmPyError):
    """Report a release that could not be downloaded or is not what its checksum says."""


@dataclass(frozen=True, slots=True)
class HostNeed:
    """Hold one host that artifacts are fetched for; `recorded` are the paths of its inventory."""

    node: Node
    facts: HostFacts
    recorded: Sequence[str] = ()


def official_view(
    cluster: ResolvedCluster,
    hosts: Sequence[HostNeed],
    *,
    cache_folder: Path | None = None,
    say: Say = lambda _line: None,
    pause: Callable[[float], None] = time.sleep,
) -> ArtifactView:
    """Download what these hosts lack and return it as plans read it; nothing where nothing is lacking.

    `cluster.artifacts_path` is the mirror's base URL, empty for the official sites. Raise DownloadError
    with the URL and the cause.
    """
    components = official.component_versions(cluster.kubernetes_version)
    offered = ArtifactView(ArtifactSource.OFFICIAL, components, official.ARCHITECTURES)
    wanted: dict[str, dict[Binary, str]] = {}
    for host in hosts:
        for state in decide_binaries(cluster, host.node, host.facts, offered, host.recorded):
            if state.decision is Decision.SEND:
                wanted.setdefault(host.facts.architecture, {})[state.binary] = components[
                    state.binary.component
                ]
    fetched = fetch(
        wanted,
        mirror=cluster.artifacts_path,
        cache_folder=cache_folder or cache.default_folder(),
        say=say,
        pause=pause,
    )
    return ArtifactView(ArtifactSource.OFFICIAL, components, official.ARCHITECTURES, fetched)


def fetch(
    wanted: Mapping[str, Mapping[Binary, str]],
    *,
    mirror: str,
    cache_folder: Path,
    say: Say = lambda _line: None,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, dict[str, LocalFile]]:
    """Return the files of the wanted binaries (architecture -> binary -> version), by architecture and name.

    What was downloaded before is taken from the cache without asking the network.
    """
    jobs = [
        (architecture, each)
        for architecture, versions in wanted.items()
        for each in official.downloads(versions, architecture, mirror)
    ]
    digests = cache.Digests(cache_folder)
    found: dict[str, dict[str, LocalFile]] = {}

    def run(job: tuple[str, Download]) -> tuple[str, dict[str, Path]]:
        architecture, each = job
        return architecture, _obtain(each, cache_folder, say, pause)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for architecture, files in pool.map(run, jobs):
            for name, path in files.items():
                file = LocalFile(str(path), digests.sha256(path), path.stat().st_size)
                found.setdefault(architecture, {})[name] = file
    digests.save()
    return found


def _obtain(each: Download, folder: Path, say: Say, pause: Callable[[float], None]) -> dict[str, Path]:
    """Return the binaries of one download, from the cache where it has them all.

    The cache keeps them below official/<host>/<path of the download>/.
    """
    if not proves_itself(each.url):
        why = (
            "plain http, so anyone on the way could change a binary and its checksum"
            if each.url.startswith("http://")
            else "not an https URL"
        )
        raise UsageError(
            f"cannot download from {each.url!r}: {why}",
            fix="set spec.artifacts.path to the mirror's base URL, such as https://mirror.example/kubernetes;"
            " http:// is for this very machine alone (127.0.0.1, ::1, localhost)",
        )
    parts = urlsplit(each.url)
    target = folder / "official" / parts.netloc.replace(":", "_") / parts.path.lstrip("/")
    files = {name: target / name for name in each.members}
    if all(path.is_file() for path in files.values()):
        return files
    name = parts.path.rpartition("/")[2]
    sha256 = official.checksum(_text(each.checksum_url, pause), name)
    if not sha256:
        raise DownloadError(
            f"{each.checksum_url} lists no SHA-256 of {name}", fix=f"try again later, {_MIRROR_HINT}"
        )
    blob = folder / "downloads" / sha256
    say(f"downloading {each.url}")
    _download(each.url, blob, sha256, pause)
    for binary, member in each.members.items():
        _extract(blob, member, files[binary], each.url)
    return files


def _download(url: str, target: Path, sha256: str, pause: Callable[[float], None]) -> None:
    """Download to `target`, going on where an earlier try, or an earlier run, was cut off."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    with target.with_name(f"{target.name}.lock").open("wb") as lock:
        # Another run on this machine may be at the same file: its bytes are as good as ours.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target.is_file() and cache.sha256_file(target) == sha256):
            _download_alone(url, target, partial, sha256, pause)


def _download_alone(
    url: str, target: Path, partial: Path, sha256: str, pause: Callable[[float], None]
) -> None:
    cause = ""
    for turn in range(TRIES):
        if turn:
            pause(2.0**turn)
        try:
            _append(url, partial)
        except _Cut as error:
            cause = str(error)
            continue
        if cache.sha256_file(partial) == sha256:
            partial.replace(target)
            return
        partial.unlink()
        raise DownloadError(
            f"{url} does not have the SHA-256 that its publisher lists; what came was deleted",
            details=[f"expected {sha256}"],
            fix=f"check the proxy or mirror in between and try again, {_MIRROR_HINT}",
        )
    raise DownloadError(
        f"{url} could not be downloaded in {TRIES} tries: {cause}",
        fix=f"run the same command again: it goes on where it was cut off; {_MIRROR_HINT}",
    )


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, as GitHub answers with one, yet never to where an answer proves nothing any more."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse plain http, from https even to this very machine."""
        if not proves_itself(newurl) or (req.type == "https" and not newurl.startswith("https:")):
            raise DownloadError(
                f"{req.full_url} sends on to {newurl}, which is not https",
                fix=f"check the proxy or mirror in between, {_MIRROR_HINT}",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: urllib.request.Request) -> Any:
    return urllib.request.build_opener(Redirects).open(request, timeout=TIMEOUT_SECONDS)


class _Cut(Exception):
    """Say that a connection failed or ended early: worth another try."""


def _append(url: str, partial: Path) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = _request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with _open(request) as answer:
            # A server that does not know ranges answers 200 with the whole file.
            resumed = have > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
            with partial.open("ab" if resumed else "wb") as file:
                expected = answer.headers.get("Content-Length")
                length = 0
                while chunk := answer.read(_CHUNK):
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
        raise _Cut(_cause(error)) from error


def _text(url: str, pause: Callable[[float], None]) -> str:
    cause = ""
    for turn in range(TRIES):
        if turn:
            pause(2.0**turn)
        try:
            with _open(_request(url)) as answer:
                content: bytes = answer.read(_CHECKSUM_LIMIT)
                return content.decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            try:
                raise _refused(url, error) from error
            except _Cut as cut:
                cause = str(cut)
        except (OSError, http.client.HTTPException) as error:
            cause = _cause(error)
    raise DownloadError(
        f"{url} could not be read in {TRIES} tries: {cause}",
        fix=f"check the network and the proxy of this machine, {_MIRROR_HINT}",
    )


def _request(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"User-Agent": f"kubeadm-py/{__version__}"})  # noqa: S310


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    error.close()
    if error.code == http.HTTPStatus.NOT_FOUND:
        return DownloadError(
            f"{url} does not exist (404)",
            fix=f"check kubernetesVersion: was it released, and does a mirror hold it? {_MIRROR_HINT}",
        )
    if (
        error.code in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.REQUEST_TIMEOUT)
        or error.code >= 500
    ):
        return _Cut(f"the server answered {error.code} {error.reason}")
    return DownloadError(
        f"{url} was refused: {error.code} {error.reason}",
        fix=f"check the proxy and its rules, {_MIRROR_HINT}",
    )


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(error).__name__


def _extract(blob: Path, member: str, target: Path, url: str) -> None:
    """Put one binary in its place; a tar may write its names with a leading `./`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        if member:
            with tarfile.open(blob) as archive:
                names = {info.name.removeprefix("./"): info for info in archive if info.isfile()}
                source = cast("IO[bytes]", archive.extractfile(names[member]))
                with source, unfinished.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
        else:
            shutil.copyfile(blob, unfinished)
        unfinished.replace(target)
    except (KeyError, tarfile.TarError, EOFError) as error:
        raise DownloadError(
            f"{url} does not hold {member}: {error}", fix=f"report this bug, {_MIRROR_HINT}"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
