"""Read a discovery file from this machine or from an https URL, with the files that it names put into it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from kubeadm_py.artifacts.redirects import Redirects
from kubeadm_py.errors import UnreachableError, UsageError
from kubeadm_py.local_path import expanded
from kubeadm_py.pki import kubeconfig

TIMEOUT_SECONDS = 30.0
_REFERENCES = (
    ("clusters", "cluster", "certificate-authority"),
    ("users", "user", "client-certificate"),
    ("users", "user", "client-key"),
)


def read(where: str) -> bytes:
    """Return the kubeconfig at a path or an https URL, which the system's authorities must vouch for.

    Of a file on this machine, the files that it names are put into it; what cannot be read stays named, for
    it may belong to another cluster. Raise UsageError or UnreachableError.
    """
    if where.startswith("https://"):
        return _fetch(where)
    path = expanded(where)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", fix="check the path") from error
    return _with_files(content, path)


def _with_files(content: bytes, path: Path) -> bytes:
    document = kubeconfig.load(content, str(path))
    for kind, inner, key in _REFERENCES:
        for entry in document[kind]:
            named = entry[inner].get(key)
            if not named or entry[inner].get(f"{key}-data"):
                continue
            found = _read_beside(path, str(named))
            if found is not None:
                del entry[inner][key]
                entry[inner][f"{key}-data"] = kubeconfig.encoded(found)
    for entry in document["users"]:
        named = entry["user"].get("tokenFile")
        if named and not entry["user"].get("token"):
            found = _read_beside(path, str(named))
            if found is not None:
                entry["user"]["token"] = found.decode(errors="replace").strip()
    return kubeconfig.dump(document)


def _read_beside(path: Path, named: str) -> bytes | None:
    """Return the content of a file; a relative name is relative to the kubeconfig, as kubectl has it."""
    try:
        return (path.parent / named).read_bytes()
    except OSError:
        return None


def _https_only(source: str, target: str) -> Exception | None:
    """Refuse to be sent on to where anyone on the way could answer."""
    if target.startswith("https://"):
        return None
    return UsageError(f"{source} sends on to {target}, which is not https", fix="name the final https:// URL")


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.build_opener(Redirects(_https_only)).open(url, timeout=TIMEOUT_SECONDS) as answer:
            # One more than is allowed: the parser says that it is too large.
            content: bytes = answer.read(kubeconfig.MAXIMUM_SIZE + 1)
            return content
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreachable(url, f"HTTP status {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause: Any = getattr(error, "reason", None) or error
        raise _unreachable(url, str(cause) or type(error).__name__) from error


def _unreachable(url: str, cause: str) -> UnreachableError:
    return UnreachableError(
        f"the discovery file {url} cannot be fetched: {cause}",
        fix="check the URL and this machine's proxy, or download the file and give its path",
    )
