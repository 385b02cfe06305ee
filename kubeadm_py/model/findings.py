"""Describe what a preflight check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Say whether a finding stops the run."""

    ERROR = "error"
    WARNING = "warning"


class Gate(StrEnum):
    """Say when a check runs: on facts alone, or once runtime and kubelet are there."""

    HOST = "host"
    PREPARED = "prepared"


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one finding: what was found on which host and what to do about it."""

    check: str
    """kubeadm's own name where it has the check; also the --ignore-preflight-errors key."""
    severity: Severity
    host: str
    found: str
    fix: str = ""
    ignored: bool = False
