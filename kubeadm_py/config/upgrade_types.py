"""Type kubeadm's UpgradeConfiguration (kubeadm contract 2.6)."""
# ruff: noqa: RUF012 - pydantic copies a mutable default for each model

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from kubeadm_py.config import defaults
from kubeadm_py.config import scalars as s
from kubeadm_py.config.kubeadm_types import Timeouts
from kubeadm_py.strict import Strict

PullPolicy = Annotated[str, s.one_of(defaults.IMAGE_PULL_POLICIES)]


class UpgradePatches(Strict):
    """Where patches lie; here kubeadm wants an absolute path."""

    directory: Annotated[str, AfterValidator(s.absolute_path)] = ""


class UpgradeApply(Strict):
    """What `upgrade apply` does."""

    kubernetes_version: str = ""
    allow_experimental_upgrades: bool | None = None
    allow_rc_upgrades: bool | None = Field(None, alias="allowRCUpgrades")
    certificate_renewal: bool | None = None
    dry_run: bool | None = None
    etcd_upgrade: bool | None = None
    force_upgrade: bool | None = None
    ignore_preflight_errors: list[s.Line] = []
    patches: UpgradePatches | None = None
    print_config: bool | None = None
    skip_phases: list[str] = []
    image_pull_policy: PullPolicy = ""
    image_pull_serial: bool | None = None


class UpgradeNode(Strict):
    """What `upgrade node` does."""

    certificate_renewal: bool | None = None
    dry_run: bool | None = None
    etcd_upgrade: bool | None = None
    ignore_preflight_errors: list[s.Line] = []
    skip_phases: list[str] = []
    patches: UpgradePatches | None = None
    image_pull_policy: PullPolicy = ""
    image_pull_serial: bool | None = None


class UpgradePlan(Strict):
    """What `upgrade plan` does."""

    kubernetes_version: str = ""
    allow_experimental_upgrades: bool | None = None
    allow_rc_upgrades: bool | None = Field(None, alias="allowRCUpgrades")
    dry_run: bool | None = None
    etcd_upgrade: bool | None = None
    ignore_preflight_errors: list[s.Line] = []
    print_config: bool | None = None


class UpgradeDiff(Strict):
    """What `upgrade diff` does."""

    kubernetes_version: str = ""
    context_lines: s.Int = 0


class UpgradeConfiguration(Strict):
    """What upgrades do; no command reads it yet, its values are checked all the same."""

    apply: UpgradeApply = UpgradeApply()
    diff: UpgradeDiff = UpgradeDiff()
    node: UpgradeNode = UpgradeNode()
    plan: UpgradePlan = UpgradePlan()
    timeouts: Timeouts = Timeouts()
