"""Hold what is sent to one host for a stage: a script, and the bytes that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kubeadm_py.artifacts.images import ImageArchive
from kubeadm_py.model.actions import (
    ImportImages,
)

Resolve = Callable[[Any], bytes]
"""Turn a Late into its content."""
OpenImages = Callable[[ImportImages], ImageArchive]
"""Say what of images is sent."""


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """Name an action so that its markers can be told as events."""

    kind: str
    title: str
    reason: str
    logs: tuple[str, ...] = ()
    """Components whose logs show more where it fails."""
    look: str = ""
    deadline: timedelta | None = None
    """How long it waits, where it does."""
    provides: str = ""
    """What is there once this action, its step's last, is done."""


@dataclass(slots=True)
class StageScript:
    """Hold one host's share of a stage."""

    script: str
    payload: list[Callable[[], Iterable[bytes]]] = field(default_factory=list)
    incoming: Mapping[str, int] = field(default_factory=dict)
    """What an earlier run has sent of files: digest -> bytes that are there."""
    fetched: list[str] = field(default_factory=list)
    """Digests of the files that are sent so that a cut connection can be gone on with."""
    size: int = 0
    seconds: float = 0.0
    """How long the script may run at the very most: a script that hangs must not hang the run."""
    actions: list[CompiledAction] = field(default_factory=list)

    def stream(self) -> Iterator[bytes]:
        """Yield the bytes for standard input, in the order in which the script reads them."""
        for part in self.payload:
            yield from part()
