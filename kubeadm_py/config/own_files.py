"""Read the operator's own files and static pods, and refuse what would get in our way."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path as FilePath

from kubeadm_py.config.cluster_types import Host
from kubeadm_py.config.cluster_types import OwnFile as FileDocument
from kubeadm_py.config.defaults import MAX_FILE_BYTES
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.own import Own
from kubeadm_py.config.own_pods import read_pod
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.whole import HOSTS, Whole
from kubeadm_py.model import owned, paths
from kubeadm_py.model.node import OwnFile
from kubeadm_py.pki.table import table

_MODE, _SECRET_MODE = 0o644, 0o600
_OF_OTHERS = stat.S_IROTH | stat.S_IWOTH
_OF_ANYONE_ELSE = _OF_OTHERS | stat.S_IRGRP | stat.S_IWGRP


def read_own(whole: Whole, problems: Problems) -> Mapping[str, Own]:
    """Return each host's own files and static pods by the host's name; what is wrong becomes a problem."""
    return {
        host.name: Own(_files(whole, (*HOSTS, index), host, problems), _pods(whole, index, host, problems))
        for index, host in enumerate(whole.cluster.value.spec.hosts)
        if host.name and (host.files or host.static_pods)
    }


def _files(whole: Whole, path: Path, host: Host, problems: Problems) -> tuple[OwnFile, ...]:
    read: list[OwnFile] = []
    seen: dict[str, int] = {}
    for index, document in enumerate(host.files):
        at: Path = (*path, "files", index)
        before = len(problems.errors)
        _check_path(whole, at, document.path, problems)
        if document.path in seen:
            message = f"{show(document.path)} is already that of files[{seen[document.path]}]"
            problems.error(whole.cluster.document, (*at, "path"), message)
        seen.setdefault(document.path, index)
        content = _content(whole, at, document, problems)
        mode = _mode(whole, at, document, problems)
        if content is not None and len(problems.errors) == before:
            owner = document.owner or "root:root"
            read.append(OwnFile(document.path, content, mode, owner, document.secret))
    return tuple(read)


def _check_path(whole: Whole, at: Path, path: str, problems: Problems) -> None:
    place, shared = whole.cluster.document, whole.cluster_configuration.value
    at = (*at, "path")
    if not path:
        problems.missing(place, at, "missing; it is where the file goes on the host")
        return
    if not path.startswith("/"):
        problems.error(place, at, f"{show(path)} is not an absolute path")
        return
    parts = path[1:].split("/")
    if any(part in ("", ".", "..") for part in parts):
        problems.error(
            place, at, f"{show(path)} is not the plain path of a file: no //, . or .. and no / at the end"
        )
        return
    local = shared.etcd.local
    why = owned.why_not(
        path,
        data_dir=(local.data_dir if local is not None else "") or paths.ETCD_DATA_DIR,
        certificates=table().paths(
            shared.certificates_dir or paths.PKI_DIR, external_etcd=shared.etcd.external is not None
        ),
    )
    if why:
        problems.error(place, at, f"{show(path)} {why}")


def _content(whole: Whole, at: Path, document: FileDocument, problems: Problems) -> bytes | None:
    place = whole.cluster.document
    if document.content is not None and document.source:
        problems.error(place, (*at, "content"), "source is given too; keep one")
    elif document.content is not None and document.secret:
        message = "a config is no place for what nobody may see: put it into a file of its own, with source"
        problems.error(place, (*at, "content"), message)
    elif document.content is not None:
        return document.content.encode()
    elif document.source:
        return _source(whole, at, document, problems)
    else:
        problems.missing(place, at, "nothing to write: give content or source")
    return None


def _source(whole: Whole, at: Path, document: FileDocument, problems: Problems) -> bytes | None:
    place, at, name = whole.cluster.document, (*at, "source"), document.source
    content, mode = read_local(FilePath(on_this_machine(name, whole.folder)), name, MAX_FILE_BYTES)
    if isinstance(content, str):
        problems.error(place, at, content)
        return None
    if document.secret and mode & _OF_ANYONE_ELSE:
        message = f"{name} may be read by others (mode {mode:04o}): chmod 600 it"
        problems.error(place, at, message)
    elif not document.secret and not document.mode and not mode & stat.S_IROTH:
        message = (
            f"{name} may not be read by others here (mode {mode:04o}), and would be readable by all on the "
            "host: say secret: true, or give a mode"
        )
        problems.error(place, at, message)
    return content


def read_local(file: FilePath, name: str, limit: int) -> tuple[bytes | str, int]:
    """Return a file's content and mode, or in words why it cannot be had."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(file.stat().st_mode)
            content = opened.read(limit + 1)
    except FileNotFoundError:
        return f"no such file on this machine: {name}", 0
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"{name} cannot be read: {reason}", 0
    if len(content) > limit:
        return f"{name} is larger than {limit >> 20} MiB, the limit for such a file", 0
    return content, mode


def _mode(whole: Whole, at: Path, document: FileDocument, problems: Problems) -> int:
    if not document.mode:
        return _SECRET_MODE if document.secret else _MODE
    mode = int(document.mode, 8)
    if document.secret and mode & _OF_OTHERS:
        message = f"{document.mode} lets everybody on the host read it; 0600, or 0640 for its owner's group"
        problems.error(whole.cluster.document, (*at, "mode"), message)
    return mode


def _pods(whole: Whole, host_index: int, host: Host, problems: Problems) -> tuple[OwnFile, ...]:
    pods: list[OwnFile] = []
    seen: dict[str, int] = {}
    for index, document in enumerate(host.static_pods):
        at: Path = (*HOSTS, host_index, "staticPods", index)
        pod = read_pod(whole, at, document, problems)
        if pod is None:
            continue
        if pod.path in seen:
            message = f"its name is already that of staticPods[{seen[pod.path]}]"
            problems.error(whole.cluster.document, at, message)
        seen.setdefault(pod.path, index)
        pods.append(pod)
    return tuple(pods)
