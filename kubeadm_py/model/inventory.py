"""Keep the record of what we made on a host: what reset removes and what a rerun may trust."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    Action,
    EtcdMember,
    ImportImages,
    MakeDirectories,
    Remove,
    RunScript,
    Unit,
    WriteFiles,
)
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import HostFacts

SCHEMA = 1
DEFAULT_OWNER = "root:root"
"""Whose a file is where its entry names no "owner"."""


@dataclass(slots=True)
class Inventory:
    """Hold /var/lib/kubeadm-py/inventory.json.

    `files`: path -> {"sha256", "mode", "made"}, "owner" where it is not root's, "cluster": true for what
    reset takes with the cluster, "own": true for what the config names as the operator's own. `made` False
    says that the file was there before us and that its prior content is kept below /var/lib/kubeadm-py/prior;
    "removed": true that we have taken it away since. A sha256 is empty where the content is made late (a
    certificate) or was never finished.
    """

    cluster: str = ""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    """Those of the distribution's package manager that the host did not have before."""

    @classmethod
    def parse(cls, raw: bytes | None, host: str = "") -> Inventory:
        """Read an inventory; None gives an empty one.

        Raise KubeadmPyError for a newer schema or a broken file: guessing would remove foreign files.
        """
        if not raw or not raw.strip():
            return cls()
        try:
            document = json.loads(raw)
            schema = document["schema"]
            if schema > SCHEMA:
                raise KubeadmPyError(
                    f"{paths.INVENTORY} has schema {schema}; this kubeadm-py knows {SCHEMA}",
                    host=host,
                    fix="use the newer kubeadm-py that wrote it",
                )
            return cls(
                cluster=document.get("cluster", ""),
                files=dict(document.get("files", {})),
                directories=list(document.get("directories", [])),
                units=list(document.get("units", [])),
                images=dict(document.get("images", {})),
                packages=list(document.get("packages", [])),
            )._whole()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise KubeadmPyError(
                f"{paths.INVENTORY} cannot be read: {error}",
                host=host,
                fix=f"restore it from a backup, or move it away and reset by hand: {paths.INVENTORY}",
            ) from error

    def _whole(self) -> Inventory:
        """Return itself; raise TypeError where what was read has not the shape that `extend` gives it."""
        entries: dict[str, Any] = dict(self.files)
        for path, entry in entries.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("made"), bool):
                raise TypeError(f"the entry of {path} does not say who made it")
        texts: list[Any] = [
            self.cluster,
            *self.directories,
            *self.units,
            *self.images.values(),
            *self.packages,
        ]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a name in it is no text")
        return self

    def dump(self) -> bytes:
        """Return the file's bytes, the same for the same content."""
        document = {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "files": self.files,
            "directories": self.directories,
            "units": self.units,
            "images": self.images,
            "packages": self.packages,
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()

    @property
    def empty(self) -> bool:
        """Say whether nothing was ever made here."""
        return not (self.files or self.directories or self.units or self.images or self.packages)

    def is_settled(self, facts: HostFacts) -> bool:
        """Say whether the last run ended here what it had begun, so that the host was as this record says."""
        fact = facts.files.get(paths.SETTLED)
        return fact is not None and fact.sha256 == sha256(settled(facts.inventory or b""))

    def extend(self, actions: Iterable[Action], facts: HostFacts, hashes: dict[str, str]) -> None:
        """Record what `actions` will make, before they run; `hashes` has the content known by then."""
        for action in actions:
            match action:
                case WriteFiles():
                    for spec in action.files:
                        if spec.path == paths.INVENTORY:
                            continue
                        known = self.files.get(spec.path)
                        if spec.in_place and known is None:
                            continue
                        made = known["made"] if known else spec.path not in facts.files
                        self.files[spec.path] = {
                            "sha256": hashes.get(spec.path, ""),
                            "mode": f"{spec.mode:04o}",
                            "made": made,
                            **({"cluster": True} if spec.of_cluster else {}),
                            **({"own": True} if spec.own else {}),
                            **({"owner": spec.owner} if spec.owner != DEFAULT_OWNER else {}),
                        }
                case EtcdMember():
                    manifest = action.manifest
                    known = self.files.get(manifest.path)
                    made = known["made"] if known else manifest.path not in facts.files
                    # Its members are known only once it is written.
                    self.files[manifest.path] = {"sha256": "", "mode": f"{manifest.mode:04o}", "made": made}
                case MakeDirectories():
                    for path, _mode in action.directories:
                        if path not in self.directories and path not in facts.directories:
                            self.directories.append(path)
                case Unit():
                    if action.name not in self.units:
                        self.units.append(action.name)
                case RunScript():
                    self.packages += [name for name in action.packages if name not in self.packages]
                case ImportImages():
                    self.images.update(dict(action.images))
                case Remove():
                    for path in action.paths:
                        if path in self.files:
                            self.files[path] = {**self.files[path], "removed": True}
                case _:
                    pass


def settled(inventory: bytes) -> bytes:
    """Return what paths.SETTLED holds once all is done that an inventory lists."""
    return f"{sha256(inventory)}\n".encode()
