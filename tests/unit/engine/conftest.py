"""A sandbox where stage scripts run for real: as ordinary processes, below a directory of the test's own."""

from __future__ import annotations

import getpass
import grp
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kubeadm_py.artifacts.images import ImageArchive
from kubeadm_py.engine.compile import compile_stage
from kubeadm_py.engine.stage_script import OpenImages, StageScript
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, ImportImages, Late, WriteFiles
from kubeadm_py.model.stages import HostPlan, PlannedStep
from kubeadm_py.transport import local
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.local import LocalHost

ME = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
MARK = "##kubeadm-py "


@dataclass
class Sandbox:
    """A root of its own for what the engine keeps on a host, commands that stand in for real ones, a host."""

    root: Path
    bin: Path
    host: LocalHost = field(default_factory=lambda: LocalHost("here"))
    markers: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """Return the absolute path of `name` on the host."""
        return f"{self.root}/{name}"

    def file(self, name: str, content: Any, mode: int = 0o644, *, secret: bool = False) -> FileSpec:
        """Describe a file below the root that is ours."""
        return FileSpec(self.path(name), content, mode, ME, secret=secret)

    def command(self, name: str, body: str) -> None:
        """Put a command on the host's PATH; `$LOG` is a file that tells what was called."""
        file = self.bin / name
        file.write_text(f"#!/bin/sh\nLOG={self.root}/log\n{body}\n")
        file.chmod(0o755)

    @property
    def log(self) -> str:
        """Return what the commands noted."""
        file = self.root / "log"
        return file.read_text() if file.exists() else ""

    def compile(self, *actions: Action, **options: Any) -> StageScript:
        """Compile a stage of one step."""
        resolve: Callable[[Any], bytes] = options.pop("resolve", _no_late)
        open_images: OpenImages = options.pop("open_images", _no_images)
        plan = HostPlan("here", (PlannedStep("step", "a step", actions),))
        options.setdefault("stop_file", f"{paths.RUN_DIR}/stop-test")
        return compile_stage(plan, resolve, open_images, **options)

    def run(self, *actions: Action, **options: Any) -> Result:
        """Compile and run a stage; the markers are in `markers` afterwards."""
        script = self.compile(*actions, **options)
        self.markers = []
        return self.host.run(script.script, stdin=script.stream(), timeout=30, on_line=self._line)

    def write(self, *files: FileSpec, **options: Any) -> Result:
        """Run a stage that writes these files."""
        return self.run(WriteFiles(files), **options)

    def _line(self, text: str) -> None:
        if text.startswith(MARK) and text != f"{MARK}locked":
            self.markers.append(text.removeprefix(MARK))

    @property
    def output(self) -> list[str]:
        """Return what the failed action said."""
        return [line.removeprefix("output ") for line in self.markers if line.startswith("output ")]


def _no_late(late: Late) -> bytes:
    raise AssertionError(f"nothing is made late here: {late}")


def _no_images(action: ImportImages) -> ImageArchive:
    raise AssertionError(f"no images here: {action}")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setattr(local.os, "geteuid", lambda: 0)  # what runs is below tmp_path: nothing needs sudo
    root, folder = tmp_path / "host", tmp_path / "bin"
    root.mkdir()
    folder.mkdir()
    ours = (paths.RUN_DIR, paths.STATE_DIR, paths.INCOMING_DIR)
    for name, value in list(vars(paths).items()):
        if isinstance(value, str) and any(f"{value}/".startswith(f"{each}/") for each in ours):
            monkeypatch.setattr(paths, name, f"{root}{value}")
    for directory in (paths.RUN_DIR, paths.STATE_DIR, paths.INCOMING_DIR):
        Path(directory).parent.mkdir(parents=True)
    monkeypatch.setattr(paths, "SEARCH_PATH", f"{folder}:{paths.SEARCH_PATH}")
    return Sandbox(root, folder)
