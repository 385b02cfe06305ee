"""Keep a run's events in a file that only its owner reads, for `status --last` and for support."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Any

from kubeadm_py.engine.events import Event

_TOKEN = re.compile(r"(?<![0-9A-Za-z.-])([a-z0-9]{6})\.[a-z0-9]{16}(?![0-9A-Za-z.-])")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)


class RunLog:
    """Append each event's JSON as a line to `path` (made 0600, its folder 0700); call it with each event.

    Events hold no secrets; what looks like a bootstrap token or a private key all the same (in a line that
    a host printed, say) is masked. Use as a context manager.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        # A file that was there already may be open to others.
        os.fchmod(descriptor, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        """Write `event` and let it reach the file at once."""
        self._file.write(json.dumps(_masked(event.to_json())) + "\n")
        self._file.flush()


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _PEM.sub("*** private key ***", _TOKEN.sub(r"\1.***", value))
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value
