"""Read the table of components and name each one's build by everything that shapes it."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from lab import paths

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return this machine's architecture in Go's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Component:
    """One wrapper module and the binaries that come out of it."""

    name: str
    version: str
    modules: list[str]
    binaries: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)
    replace: dict[str, str] = field(default_factory=dict)
    cgo: bool = False

    @property
    def linker_flags(self) -> str:
        """Return the linker flags that strip the binary and set its version variables."""
        major, minor = self.version.lstrip("v").split(".")[:2]
        flags = ["-s", "-w"]
        for variable, value in self.versions.items():
            filled = value.format(version=self.version, major=major, minor=minor)
            flags += ["-X", f"{variable}={filled}"]
        if self.cgo:
            flags += ["-linkmode", "external", "-extldflags", "-static"]
        return " ".join(flags)

    def at(self, version: str) -> Component:
        """Return the same component at another version; its staging modules follow it, as v0.x."""
        mine, theirs = (f"v0.{each.split('.', 1)[1]}" for each in (self.version, version))
        moved = {
            module: f"{target.removesuffix(mine)}{theirs}" if target.endswith(f" {mine}") else target
            for module, target in self.replace.items()
        }
        return replace(self, version=version, replace=moved)

    @property
    def key(self) -> str:
        """Return a folder name that changes when anything that shapes the binaries does."""
        shape = json.dumps([vars(self), architecture()], sort_keys=True)
        return f"{self.version}-{hashlib.sha256(shape.encode()).hexdigest()[:12]}"


def load(path: Path = paths.COMPONENTS) -> dict[str, Component]:
    """Read the table, in the order in which it is to be built."""
    table: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())
    return {name: Component(name=name, **entry) for name, entry in table.items()}
