"""Turn files and images into shell and the bytes that it reads: small ones in a tar, large ones resumed."""

from __future__ import annotations

import posixpath
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from kubeadm_py.artifacts import checked
from kubeadm_py.engine.stage_script import OpenImages, Resolve, StageScript
from kubeadm_py.model.actions import FileSpec, ImportImages, LocalFile
from kubeadm_py.model.words import plural

RESUMED_FROM = 1 << 20
"""Files of this many bytes and more, and the parts of images, are gone on with where a connection was cut."""

_TOLD_FROM = 20_000_000
"""Bytes of images from which it is told how many have come by now."""
_TOLD_TIMES = 5


def save(compiled: StageScript, content: bytes | LocalFile) -> str:
    """Return what takes content as the input of its action."""
    compiled.payload.append(lambda: _read(content))
    compiled.size += _size(content)
    return f"kpy_save {_size(content)}\n"


def write_files(
    compiled: StageScript, files: tuple[FileSpec, ...], resolve: Resolve, existing: frozenset[str]
) -> str:
    """Return what replaces files in one step each, once all of them have come.

    The content of those that are `existing` is kept for reset.
    """
    all_members = [(spec, _content(spec, resolve)) for spec in files]
    large = [(spec, content) for spec, content in all_members if _is_large(content)]
    members = [(spec, content) for spec, content in all_members if not _is_large(content)]
    header_sizes = [(spec, content, _tar_header(spec, content)) for spec, content in members]
    total = sum(len(header) + _padded(_size(content)) for _, content, header in header_sizes) + 1024

    def stream() -> Iterator[bytes]:
        for _, content, header in header_sizes:
            yield header
            yield from _read(content)
            padding = _padded(_size(content)) - _size(content)
            if padding:
                yield bytes(padding)
        yield bytes(1024)

    if members:
        compiled.payload.append(stream)
        compiled.size += total
    directories = sorted({posixpath.dirname(spec.path) for spec in files})
    lines = [f"kpy_mkdir {shlex.join(directories)}\n"]
    kept = (spec.path for spec in files if spec.path in existing and not spec.in_place)
    lines += [f"kpy_keep {shlex.quote(path)}\n" for path in kept]
    if files:
        temporary = [_temporary(spec.path) for spec in files]
        # Half of what was to be written, a key among it perhaps, is not left lying there.
        lines.append(
            f"kpy_drop() {{\n  kpy_unlink {shlex.join(temporary)}\n}}\ntrap kpy_drop EXIT\nkpy_drop\n"
        )
    if members:
        lines.append(f"kpy_receive {total} {shlex.quote(_temporary(members[-1][0].path))}\n")
    for spec, content in large:
        lines.append(_fetch(compiled, content))
        where = f"{spec.mode:04o} {shlex.quote(spec.owner)} {shlex.quote(_temporary(spec.path))}"
        lines.append(f"kpy_place {content.sha256} {where}\n")
    if any(spec.secret for spec in files):
        # Renames may reach the disk before contents do: a power cut must not leave an empty key in place.
        lines.append(f"sync -- {shlex.join(temporary)}\n")
    lines += [f"mv -fT -- {shlex.quote(_temporary(spec.path))} {shlex.quote(spec.path)}\n" for spec in files]
    lines.append(f"kpy_relabel {shlex.join([spec.path for spec in files])}\n")
    return "".join(lines)


def _is_large(content: bytes | LocalFile) -> TypeGuard[LocalFile]:
    return isinstance(content, LocalFile) and content.size >= RESUMED_FROM


def _fetch(compiled: StageScript, file: LocalFile, how: str = "kpy_fetch") -> str:
    """Return what takes a file, from where an earlier run was cut off; `how` takes one that begins."""
    have = min(compiled.incoming.get(file.sha256, 0), file.size)
    if file.sha256 in compiled.fetched:
        have = 0
    compiled.payload.append(lambda: checked.chunks(Path(file.path), file.size, file.sha256, have))
    compiled.size += file.size - have
    compiled.fetched.append(file.sha256)
    return f"{'kpy_fetch' if have else how} {file.sha256} {file.size} {have}\n"


def _content(spec: FileSpec, resolve: Resolve) -> bytes | LocalFile:
    if isinstance(spec.content, bytes | LocalFile):
        return spec.content
    return resolve(spec.content)


def _size(content: bytes | LocalFile) -> int:
    return content.size if isinstance(content, LocalFile) else len(content)


def _padded(size: int) -> int:
    return (size + 511) // 512 * 512


def _read(content: bytes | LocalFile) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    yield from checked.chunks(Path(content.path), content.size, content.sha256)


def _tar_header(spec: FileSpec, content: bytes | LocalFile) -> bytes:
    info = tarfile.TarInfo(_temporary(spec.path).lstrip("/"))
    info.size = _size(content)
    info.mode = spec.mode
    info.uname, _, info.gname = spec.owner.partition(":")
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _temporary(path: str) -> str:
    """Return where a file lies until it is whole: hidden, and with an ending that nothing reads."""
    directory, name = posixpath.split(path)
    return f"{directory}/.{name}.kubeadm-py-new"


def import_images(compiled: StageScript, action: ImportImages, open_images: OpenImages) -> str:
    """Return what hands images to containerd, from where an earlier run was cut off, and pins them."""
    archive = open_images(action)
    files = archive.files
    lines = []
    total = sum(file.size for file in files)
    come, next_told = 0, 0
    for file in files:
        if total >= _TOLD_FROM and come >= next_told:
            lines.append(_told(action, f"{_megabytes(come)} of {_megabytes(total)} MB have come"))
            next_told = come + total // _TOLD_TIMES
        lines.append(_fetch(compiled, file, "kpy_take"))
        come += file.size
    if total >= _TOLD_FROM:
        lines.append(_told(action, f"all {_megabytes(total)} MB have come, containerd takes them in"))
    lines.append(save(compiled, archive.index))
    references = shlex.join([reference for reference, _ in action.images])
    return (
        "".join(lines) + f"kpy_import {' '.join(f'{file.sha256} {file.size}' for file in files)}\n"
        f"for image in {references}; do\n"
        '  ctr -n k8s.io images label "$image" io.cri-containerd.pinned=pinned >/dev/null\n'
        "done\n"
    )


def _told(action: ImportImages, how_far: str) -> str:
    note = f"note {plural(len(action.images), 'image')}: {how_far}"
    return f"kpy_mark {shlex.quote(note)}\n"


def _megabytes(size: int) -> int:
    return round(size / 1_000_000)
