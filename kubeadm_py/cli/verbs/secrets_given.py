"""Read secrets that flags name a file for, so that they show in no process list."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded


def read(flags: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the flags with the content of NAME_file as NAME; `-` is standard input, which only one may read.

    Raise UsageError where both forms are given.
    """
    chosen = dict(flags)
    files = {name: str(chosen.pop(f"{name}_file", "")) for name in names}
    from_stdin = [_flag(f"{name}_file") for name, file in files.items() if file == "-"]
    if len(from_stdin) > 1:
        raise UsageError(f"{' and '.join(from_stdin)} both read standard input", fix="put one into a file")
    for name, file in files.items():
        if not file:
            continue
        flag = _flag(name)
        if name in chosen:
            raise UsageError(f"{flag} and {flag}-file exclude each other", fix=f"keep {flag}-file")
        chosen[name] = content(file)
    return chosen


def content(file: str) -> str:
    """Return what a file holds, - being standard input; raise UsageError where it cannot be read."""
    try:
        found = sys.stdin.buffer.read() if file == "-" else expanded(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", fix="check the path") from error
    return found.decode(errors="replace").strip()


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
