"""Read what is sent to hosts, and see while it is sent that it is what was verified before."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from kubeadm_py.errors import KubeadmPyError

CHUNK = 1 << 20


class ChangedError(KubeadmPyError):
    """Report a file that changed between its verification and its sending."""


def chunks(path: Path, size: int, sha256: str, skip: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `skip` to `size`, the last of them only if all have this digest.

    Who receives them and insists on their number thus never takes a file that was swapped meanwhile. Raise
    ChangedError, and OSError as open does.
    """
    digest = hashlib.sha256()
    left = size
    at = 0
    held = b""
    with io.FileIO(path) as file:
        while left and (chunk := file.read(min(CHUNK, left))):
            if held:
                yield held
            digest.update(chunk)
            left -= len(chunk)
            held = chunk[max(0, skip - at) :]
            at += len(chunk)
    if left or digest.hexdigest() != sha256:
        found = f"sha256 {digest.hexdigest()}"
        raise ChangedError(
            f"{path} is not the file any more that was verified before this run sent it",
            details=[
                f"expected sha256 {sha256}",
                f"found {left} bytes shorter, {found}" if left else f"found {found}",
            ],
            fix="nothing of it was installed; copy the bundle again, let nothing write there, and run the"
            " same command again",
        )
    if held:
        yield held
