"""Hold what a reset is told by its config."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubeadm_py.model.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class ResetSettings:
    """Hold what ResetConfiguration says; a reset removes what the host's inventory lists, wherever it is."""

    dry_run: bool = False
    force: bool = False
    """Do not ask."""
    certificates_dir: str = ""
    """Whose content goes where no inventory knows any of it; empty: the cluster's."""
    cleanup_tmp_dir: bool = False
    """Remove what kubeadm keeps from upgrades below /etc/kubernetes/tmp, too."""
    cri_socket: str = ""
    """Where the pods' runtime listens; empty: as the host's files say."""
    ignore_preflight_errors: frozenset[str] = frozenset()
    skip_phases: tuple[str, ...] = ()
    unmount_flags: tuple[str, ...] = ()
    """Names of umount2(2)'s flags."""
    timeouts: Timeouts = field(default_factory=Timeouts)
