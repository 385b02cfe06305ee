"""Read what image registries need: their CAs and credentials, from files beside the config."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path as FilePath

from kubeadm_py.config.cluster_types import Registry as RegistryDocument
from kubeadm_py.config.defaults import MAX_FILE_BYTES
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.own_files import read_local
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.whole import Whole
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret

REGISTRIES: Path = ("spec", "registries")
_OF_ANYONE_ELSE = stat.S_IRWXG | stat.S_IRWXO


def read_registries(whole: Whole, problems: Problems) -> Mapping[str, Registry]:
    """Return the registries of the Cluster document by name; what is wrong becomes a problem."""
    given = whole.cluster.value.spec.registries
    return {name: _registry(whole, name, document, given, problems) for name, document in given.items()}


def _registry(
    whole: Whole,
    name: str,
    document: RegistryDocument,
    given: Mapping[str, RegistryDocument],
    problems: Problems,
) -> Registry:
    at: Path = (*REGISTRIES, name)
    place = whole.cluster.document
    if document.plain_http and document.ca_file:
        problems.error(
            place, (*at, "caFile"), "plainHTTP is given too: over plain http no certificate is shown"
        )
    if document.plain_http and document.credentials_file:
        message = "over plain http everybody on the way reads the password"
        problems.warning(place, (*at, "credentialsFile"), message)
    return Registry(
        mirrors=tuple(_url(mirror, given) for mirror in document.mirrors),
        plain_http=document.plain_http,
        ca=_ca(whole, at, document.ca_file, problems),
        credentials=_credentials(whole, at, document.credentials_file, problems),
        replace_with=document.replace_with,
        pull_secrets=tuple(document.pull_secrets),
    )


def _url(mirror: str, given: Mapping[str, RegistryDocument]) -> str:
    """Return a mirror's URL; one without a scheme is reached as the registry of its name is."""
    if "://" in mirror:
        return mirror
    name, _, path = mirror.partition("/")
    known = given.get(name)
    scheme = "http" if known and known.plain_http else "https"
    return f"{scheme}://{name}/v2/{path}" if path else f"{scheme}://{name}"


def _ca(whole: Whole, at: Path, written: str, problems: Problems) -> bytes:
    if not written:
        return b""
    place, at = whole.cluster.document, (*at, "caFile")
    content, _ = read_local(FilePath(on_this_machine(written, whole.folder)), written, MAX_FILE_BYTES)
    if isinstance(content, str):
        problems.error(place, at, content)
        return b""
    if b"-----BEGIN CERTIFICATE-----" not in content:
        problems.error(place, at, f"{show(written)} holds no certificate in PEM")
    elif b"PRIVATE KEY-----" in content:
        problems.error(place, at, f"{show(written)} holds a private key: it would go to every host")
    return content


def _credentials(whole: Whole, at: Path, written: str, problems: Problems) -> Secret | None:
    if not written:
        return None
    place, at = whole.cluster.document, (*at, "credentialsFile")
    content, mode = read_local(FilePath(on_this_machine(written, whole.folder)), written, MAX_FILE_BYTES)
    if isinstance(content, str):
        problems.error(place, at, content)
        return None
    if mode & _OF_ANYONE_ELSE:
        message = f"{written} may be read by others (mode {mode:04o}): chmod 600 it"
        problems.error(place, at, message)
    line = content.strip(b"\r\n")
    user, colon, password = line.partition(b":")
    if not (user and colon and password) or b"\n" in line or b"\0" in line:
        problems.error(place, at, f"{written} does not hold one line USER:PASSWORD")
    return Secret(line)
