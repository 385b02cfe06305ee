"""Fetch the official releases that hosts lack, from the cache of this machine where it has them."""

from __future__ import annotations

import os
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from kubeadm_py.artifacts import cache, official
from kubeadm_py.artifacts.download import MIRROR_HINT, DownloadError, Pause, download, text
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.artifacts.official import Download
from kubeadm_py.artifacts.plan import ArtifactView, Decision, decide_binaries
from kubeadm_py.errors import UsageError
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node
from kubeadm_py.model.urls import proves_itself

AT_ONCE = 4
_ORIGIN = ".sha256"
"""Beside extracted binaries: the digest of the download that they are from."""
_CHUNK = 1 << 18

Say = Callable[[str], None]


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
    lock: LockFile | None = None,
    cache_folder: Path | None = None,
    say: Say = lambda _line: None,
    pause: Pause = time.sleep,
) -> ArtifactView:
    """Download what these hosts lack and return it as plans read it; nothing where nothing is lacking.

    `cluster.artifacts_path` is the mirror's base URL, empty for the official sites. What comes is pinned in
    `lock`, and must be what is pinned there. Raise DownloadError with the URL and the cause.
    """
    components = official.component_versions(cluster.kubernetes_version)
    pins = lock.images if lock else {}
    offered = ArtifactView(cluster.artifacts, components, official.ARCHITECTURES, pins=pins)
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
        lock=lock,
        cache_folder=cache_folder or cache.default_folder(),
        say=say,
        pause=pause,
    )
    return replace(offered, binaries=fetched)


def fetch(
    wanted: Mapping[str, Mapping[Binary, str]],
    *,
    mirror: str,
    lock: LockFile | None = None,
    cache_folder: Path,
    say: Say = lambda _line: None,
    pause: Pause = time.sleep,
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
    pins = lock or LockFile(None)
    found: dict[str, dict[str, LocalFile]] = {}

    def run(job: tuple[str, Download]) -> tuple[str, Download, str, dict[str, Path]]:
        architecture, each = job
        sha256, files = _obtain(each, pins, cache_folder, say, pause)
        return architecture, each, sha256, files

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for architecture, each, sha256, files in pool.map(run, jobs):
            pins.pin(each.published, sha256, published=True)
            for name, path in files.items():
                file = LocalFile(str(path), digests.sha256(path), path.stat().st_size)
                found.setdefault(architecture, {})[name] = file
    digests.save()
    return found


def _obtain(
    each: Download, lock: LockFile, folder: Path, say: Say, pause: Pause
) -> tuple[str, dict[str, Path]]:
    """Return the digest and the binaries of one download, from the cache where it has them all.

    The cache keeps them below official/<host>/<path of the download>/, with the digest of what they came in.
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
    pinned = lock.pins.get(each.published, "")
    origin = target / _ORIGIN
    kept = origin.read_text() if origin.is_file() else ""
    if kept and pinned in ("", kept) and all(path.is_file() for path in files.values()):
        return kept, files
    name = parts.path.rpartition("/")[2]
    sha256 = pinned or official.checksum(text(each.checksum_url, pause), name)
    if not sha256:
        raise DownloadError(
            f"{each.checksum_url} lists no SHA-256 of {name}", fix=f"try again later, {MIRROR_HINT}"
        )
    blob = folder / "downloads" / sha256
    say(f"downloading {each.url}")
    said_by = f"{lock.path} pins" if pinned else "its publisher lists"
    download(each.url, blob, sha256, pause, said_by=said_by)
    for binary, member in each.members.items():
        _extract(blob, member, files[binary], each.url)
    cache.write_atomically(origin, sha256.encode())
    return sha256, files


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
            f"{url} does not hold {member}: {error}", fix=f"report this bug, {MIRROR_HINT}"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
