"""Save what probes said, for `render --facts` and for bug reports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import UsageError


def open_folder(name: str) -> Path:
    """Return the folder of this name, made 0700 where there is none; raise UsageError where that fails."""
    folder = Path(name).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def save_facts(sessions: Iterable[Session], folder: Path) -> list[Path]:
    """Write each host's answer to NAME.json, 0600, over what an earlier run saved; raise UsageError."""
    return [_write(folder / f"{session.name}.json", session.answer + b"\n") for session in sessions]


def _write(path: Path, content: bytes) -> Path:
    try:
        # A name of its own that nobody else can open: what lies there, a link perhaps, is replaced.
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(unfinished).replace(path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"--save-facts: {path} cannot be written: {error.strerror}", fix="name a folder of your own"
    )
