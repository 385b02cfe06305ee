"""Push the images of a bundle to a registry that hosts can pull from."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubeadm_py.artifacts import checked, images
from kubeadm_py.artifacts.bundle import Bundle
from kubeadm_py.artifacts.download import TRIES, Pause
from kubeadm_py.artifacts.images import Blob, BundleError
from kubeadm_py.artifacts.registry import Api, RegistryError
from kubeadm_py.model.registries import registry_of

AT_ONCE = 4
_EMPTY = b""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pushed:
    """Count what went over, and name the registries whose images are there now."""

    images: int
    blobs: int
    """Those that the registry did not have."""
    size: int
    registries: tuple[str, ...]


def push(
    bundle: Bundle, api: Api, prefix: str, say: Say = lambda _line: None, pause: Pause = time.sleep
) -> Pushed:
    """Push every image under its path without its registry, below `prefix`: as a mirror is asked for it.

    What the registry has already is not sent again, so one that was cut off goes on where it stopped. Raise
    BundleError where two images would take the same name, RegistryError for what the registry refuses.
    """
    targets = _targets(bundle, prefix)
    jobs: dict[tuple[str, str], Blob] = {}
    for (repository, _), (_, manifests) in targets.items():
        for digest in manifests.values():
            for blob in images.blobs(bundle.layout, digest)[1:]:
                jobs[repository, blob.digest] = blob

    def send(job: tuple[tuple[str, str], Blob]) -> int:
        (repository, _), blob = job
        return _send_blob(api, repository, blob, bundle.layout, pause)

    sent = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, size in enumerate(pool.map(send, jobs.items()), 1):
            sent.append(size)
            if size:
                say(f"{number} of {len(jobs)} blobs")
    for (repository, tag), (_, manifests) in targets.items():
        _name(api, bundle.layout, repository, tag, manifests)
        say(f"{api.endpoint.registry}/{repository}:{tag}")
    registries = {registry_of(reference): None for reference, _ in targets.values()}
    return Pushed(len(targets), sum(1 for size in sent if size), sum(sent), tuple(sorted(registries)))


def _targets(bundle: Bundle, prefix: str) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    """Return (repository, tag) -> (reference, architecture -> manifest digest)."""
    found: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
    for architecture, held in sorted(bundle.images.items()):
        for reference, digest in sorted(held.items()):
            path, _, tag = reference.partition("@")[0].partition("/")[2].rpartition(":")
            key = (f"{prefix}/{path}".strip("/"), tag)
            other, manifests = found.setdefault(key, (reference, {}))
            if other != reference:
                raise BundleError(
                    f"{other} and {reference} would both become {key[0]}:{tag}",
                    fix="push bundles of the one and the other below different paths: --registry HOST/PATH",
                )
            manifests[architecture] = digest
    return found


def _send_blob(api: Api, repository: str, blob: Blob, layout: Path, pause: Pause) -> int:
    """Send a blob and return its size, or 0 where the registry has it."""
    scope = f"repository:{repository}:pull,push"
    url = api.url(repository, f"blobs/{blob.digest}")
    status, _, _ = api.ask("HEAD", url, scope=scope, accept=(HTTPStatus.NOT_FOUND,))
    if status != HTTPStatus.NOT_FOUND:
        return 0
    cause = ""
    for turn in range(TRIES):
        if turn:
            pause(2.0**turn)
        start = api.url(repository, "blobs/uploads/")
        _, headers, _ = api.ask("POST", start, scope=scope, body=_EMPTY)
        target = urllib.parse.urljoin(start, headers.get("Location", ""))
        query = urllib.parse.urlencode({"digest": blob.digest})
        request = urllib.request.Request(  # noqa: S310
            f"{target}{'&' if '?' in target else '?'}{query}",
            data=_content(blob, layout),
            method="PUT",
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)},
        )
        try:
            with api.open(request, scope):
                return blob.size
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise api.refusal(url, error) from error
            cause = f"the registry answered {error.code} {error.reason}"
        except OSError as error:
            cause = str(getattr(error, "reason", None) or error)
    raise RegistryError(
        f"{url} could not be sent in {TRIES} tries: {cause}",
        fix="run the same command again: it goes on where it was cut off",
    )


def _content(blob: Blob, layout: Path) -> Iterator[bytes]:
    # The digest is checked on the way: the last piece goes only if all are right.
    return checked.chunks(blob.path(layout), blob.size, blob.digest.removeprefix("sha256:"))


def _name(api: Api, layout: Path, repository: str, tag: str, manifests: dict[str, str]) -> None:
    """Put an image's manifests, and under the tag the one of them or an index of all."""
    entries: list[dict[str, Any]] = []
    for architecture, digest in manifests.items():
        content = Blob(digest, 0).path(layout).read_bytes()
        media_type = images.media_type(layout, digest)
        _put(api, repository, tag if len(manifests) == 1 else digest, content, media_type)
        platform = {"architecture": architecture, "os": "linux"}
        entries.append(
            {"mediaType": media_type, "digest": digest, "size": len(content), "platform": platform}
        )
    if len(entries) > 1:
        index = {"schemaVersion": 2, "mediaType": images.INDEX_TYPE, "manifests": entries}
        _put(api, repository, tag, json.dumps(index, sort_keys=True).encode(), images.INDEX_TYPE)


def _put(api: Api, repository: str, what: str, content: bytes, media_type: str) -> None:
    api.ask(
        "PUT",
        api.url(repository, f"manifests/{what}"),
        scope=f"repository:{repository}:pull,push",
        headers={"Content-Type": media_type},
        body=content,
    )
