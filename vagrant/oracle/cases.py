"""Read the cases: folders below tests/golden/kubeadm that hold a config and the host that it is for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import paths

from oracle.sandbox import Host

CASES = paths.VAGRANT.parent / "tests" / "golden" / "kubeadm"
CONFIG = "config.yaml"
HOST = "host.yaml"
CLUSTER = "cluster.yaml"
"""The Cluster document that our side needs beside the config, to know both hosts of a join."""
GIVEN_FILES = "host"
"""The folder of a case whose files lie on its host before kubeadm comes."""


@dataclass(frozen=True)
class Case:
    """Hold what goes into a recording."""

    folder: Path
    config: bytes
    host: Host
    joining: Host | None = None
    """The host that joins the first one, where the recording is of a join."""
    kubeadm: str = ""
    """The release of kubeadm that is recorded, where it is not the lab's."""

    @property
    def name(self) -> str:
        """Return the folder's name."""
        return self.folder.name


def names() -> list[str]:
    """List the cases."""
    return sorted(path.parent.name for path in CASES.glob(f"*/{CONFIG}"))


def read(name: str) -> Case:
    """Read a case."""
    folder = CASES / name
    about = yaml.safe_load((folder / HOST).read_text())
    given = folder / GIVEN_FILES
    paths_given = sorted(path for path in given.rglob("*") if path.is_file())
    files = {f"/{path.relative_to(given)}": path.read_bytes() for path in paths_given}
    joining = _host(about["joining"], {}) if "joining" in about else None
    release = about.get("kubeadm", "")
    return Case(folder, (folder / CONFIG).read_bytes(), _host(about, files), joining, release)


def _host(about: dict[str, Any], files: dict[str, bytes]) -> Host:
    return Host(
        hostname=about["hostname"],
        addresses=tuple(about["addresses"]),
        directories=tuple(about["directories"]),
        environment=dict(about["environment"]),
        files=files,
    )
