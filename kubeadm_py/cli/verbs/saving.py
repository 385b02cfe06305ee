"""Save what probes said, for `render --facts` and for bug reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kubeadm_py.artifacts.cache import write_atomically
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded


def open_folder(name: str) -> Path:
    """Return the folder of this name, made 0700 where there is none; raise UsageError where that fails."""
    folder = expanded(name)
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
        write_atomically(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"--save-facts: {path} cannot be written: {error.strerror}", fix="name a folder of your own"
    )
