"""Switch swap off, now and after every boot, in a way that reset can undo."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.steps.base import StepContext, write

MARKER = "#kubeadm-py: "
"""Stands before a line of /etc/fstab that we have switched off."""

_SWAP_LINE = re.compile(rb"^[ \t]*[^#\s]\S*[ \t]+\S+[ \t]+swap[ \t]")
_TIMEOUT = timedelta(minutes=10)
"""Swapping in what is out there takes its time on a slow disk."""

_SWITCH_OFF = f"""record={host_settings.MASKED_SWAP_UNITS}
mkdir -p -m 0700 {paths.STATE_DIR}
# /etc/fstab is edited by itself; units that follow another one are names of the same device.
systemctl list-units --all --type=swap --plain --no-legend --no-pager | while read -r unit rest; do
  [ "$(systemctl show -p SourcePath --value -- "$unit")" = /etc/fstab ] && continue
  [ -z "$(systemctl show -p Following --value -- "$unit")" ] || continue
  if systemctl mask --quiet -- "$unit" 2>/dev/null; then
    echo "mask $unit" >>"$record"
  else
    systemctl disable --quiet -- "$unit"
    echo "disable $unit" >>"$record"
  fi
done
for service in zramswap.service zram-config.service; do
  systemctl cat -- "$service" >/dev/null 2>&1 || continue
  systemctl disable --quiet --now -- "$service"
  echo "disable $service" >>"$record"
done
systemctl daemon-reload
swapoff -a
left=$(tail -n +2 /proc/swaps)
if [ -n "$left" ]; then
  echo "swap is still on: $left" >&2
  exit 1
fi"""

_SWITCH_ON = f"""record={host_settings.MASKED_SWAP_UNITS}
[ -e "$record" ] || {{ echo unchanged; exit 0; }}
sort -u "$record" | while read -r how unit; do
  case $how in
    mask) systemctl unmask --quiet -- "$unit" ;;
    disable) systemctl enable --quiet -- "$unit" ;;
  esac
done
systemctl daemon-reload
rm -f "$record\""""


def plan_swap(ctx: StepContext) -> list[Action]:
    """Switch swap off, unless the kubelet is to run with it (failSwapOn: false).

    A container leaves swap alone: it is the machine's.
    """
    if ctx.cluster.kubelet_config.get("failSwapOn") is False or ctx.facts.container:
        return []
    actions = _edit_fstab(ctx.facts, comment_swap, "keep swap off after every boot")
    units = [
        name
        for name, unit in ctx.facts.units.items()
        if name.endswith(".swap")
        and unit.load_state == "loaded"
        and (unit.active_state == "active" or unit.enabled == "enabled")
    ]
    if ctx.facts.swaps or units:
        actions.append(RunScript("switch swap off", _SWITCH_OFF, timeout=_TIMEOUT))
    return actions


def plan_restore_swap(facts: HostFacts) -> list[Action]:
    """Undo what `plan_swap` changed; swap itself comes back with the next boot or `swapon -a`."""
    return [
        *_edit_fstab(facts, restore_swap, "let /etc/fstab name its swap again"),
        RunScript("let swap units start again", _SWITCH_ON),
    ]


def comment_swap(fstab: bytes) -> bytes:
    """Return /etc/fstab with its swap entries behind our marker."""
    marker = MARKER.encode()
    return b"".join(
        marker + line if _SWAP_LINE.match(line) else line for line in fstab.splitlines(keepends=True)
    )


def restore_swap(fstab: bytes) -> bytes:
    """Return /etc/fstab with the lines behind our marker as they were."""
    marker = MARKER.encode()
    return b"".join(line.removeprefix(marker) for line in fstab.splitlines(keepends=True))


def _edit_fstab(facts: HostFacts, edit: Callable[[bytes], bytes], title: str) -> list[Action]:
    fact = facts.files.get(host_settings.FSTAB)
    if fact is None or fact.content is None:
        return []
    spec = FileSpec(host_settings.FSTAB, edit(fact.content), fact.mode, fact.owner)
    return write([spec], facts, title=title) if spec.content != fact.content else []
