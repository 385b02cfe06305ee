"""Read what a probe says about files, directories and disks."""

from __future__ import annotations

import re
import stat

from kubeadm_py.facts.answer import Answer
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import Disk, FileFact

_HASH = re.compile(r"^([0-9a-f]{64}) [ *](/.*)$")


def read_files(answer: Answer) -> dict[str, FileFact]:
    """Return every path that the probe described, with its content where it shows that."""
    hashes = read_hashes(answer)
    files: dict[str, FileFact] = {}
    for line in answer.lines("!files"):
        fields = line.split(" ", 5)
        if len(fields) != 6:
            continue
        raw_mode, owner, size, mtime, inode, path = fields
        try:
            mode = int(raw_mode, 16)
            directory = stat.S_ISDIR(mode)
            digest = hashes.get(path, "")
            content, partial = _content(answer, path, digest)
            files[path] = FileFact(
                path=path,
                mode=stat.S_IMODE(mode),
                owner=owner,
                sha256="" if directory else digest,
                size=int(size),
                content=None if directory else content,
                partial=partial,
                mtime=int(mtime),
                inode=int(inode),
                directory=directory,
            )
        except (ValueError, OverflowError):
            continue
    return files


def read_hashes(answer: Answer) -> dict[str, str]:
    """Return path -> sha256 for what the probe hashed."""
    found = (_HASH.match(line) for line in answer.lines("!hashes"))
    return {match[2]: match[1] for match in found if match}


def read_directories(answer: Answer) -> dict[str, int]:
    """Return directory -> number of entries, hidden ones included."""
    directories: dict[str, int] = {}
    for line in answer.lines("!directories"):
        count, _, path = line.partition(" ")
        if count.isdecimal() and path.startswith("/"):
            directories[path] = int(count)
    return directories


def read_disks(answer: Answer) -> dict[str, Disk]:
    """Return path -> the file system below it."""
    disks: dict[str, Disk] = {}
    for line in answer.lines("!disks"):
        fields = line.split(" ", 5)
        if len(fields) == 6 and all(field.isdecimal() for field in fields[:5]):
            block, total, available, inodes, inodes_free = (int(field) for field in fields[:5])
            path = fields[5]
            disks[path] = Disk(path, total * block, available * block, inodes, inodes_free)
    return disks


def _content(answer: Answer, path: str, digest: str) -> tuple[bytes | None, bool]:
    """Return what the probe shows of a file, and whether lines of it were withheld."""
    if path not in answer.sections:
        return None, False
    content = answer.sections[path].encode()
    return content, bool(digest) and sha256(content) != digest
