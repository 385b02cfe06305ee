"""Type kubeadm's ResetConfiguration (kubeadm contract 2.5)."""
# ruff: noqa: RUF012 - pydantic copies a mutable default for each model

from __future__ import annotations

from typing import Annotated

from kubeadm_py.config import defaults
from kubeadm_py.config import scalars as s
from kubeadm_py.config.kubeadm_types import Timeouts
from kubeadm_py.strict import Strict

UnmountFlag = Annotated[str, s.word_of(defaults.UNMOUNT_FLAGS)]


class ResetConfiguration(Strict):
    """What reset does on every host."""

    cleanup_tmp_dir: bool = False
    certificates_dir: s.AbsolutePath = ""
    cri_socket: s.CriSocket = ""
    dry_run: bool = False
    force: bool = False
    ignore_preflight_errors: list[s.Line] = []
    skip_phases: list[str] = []
    unmount_flags: list[UnmountFlag] = []
    timeouts: Timeouts = Timeouts()
