"""Pin in the lock file what hosts pull by tag, as downloads are pinned."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from kubeadm_py.artifacts.lockfile import LockFile, pin_name
from kubeadm_py.engine.events import Event, ImagePulled, Notice
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.plan.artifacts import bundles

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(slots=True)
class Pinning:
    """Pin the digests that hosts tell of the images that they pull, where nothing is pinned yet."""

    cluster: ResolvedCluster
    emit: Callable[[Event], None]
    _wanted: frozenset[str] = frozenset()
    _told_by: dict[str, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take note of an image; a host speaks for those alone that the cluster runs."""
        if not isinstance(event, ImagePulled) or not _DIGEST.fullmatch(event.digest):
            return
        self._wanted = self._wanted or frozenset(bundles.wanted(self.cluster, ()).images)
        if event.reference not in self._wanted or "@" in event.reference:
            return
        # Read anew: downloads are pinned in the same file meanwhile.
        lock = LockFile.beside(self.cluster.source_file)
        name, sha256 = pin_name(event.reference), event.digest.removeprefix("sha256:")
        pinned = lock.pins.get(name, "")
        if pinned and pinned != sha256:
            first = self._told_by.get(event.reference, "the lock file")
            text = f"{event.reference} came as {event.digest}, and {first} has sha256:{pinned}"
            self.emit(Notice("warning", text, event.host, f"on that host: crictl rmi {event.reference}"))
            return
        self._told_by.setdefault(event.reference, event.host)
        lock.pin(name, sha256, published=True)
