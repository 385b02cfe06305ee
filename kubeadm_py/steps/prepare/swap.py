"""Switch swap off, now and after every boot, in a way that reset can undo."""

from __future__ import annotations

import re
from datetime import timedelta

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.steps.base import StepContext

MARKER = "#kubeadm-py: "
"""Stands before a line of /etc/fstab that we have switched off."""

_SWAP_LINE = re.compile(rb"^[ \t]*[^#\s]\S*[ \t]+\S+[ \t]+swap([ \t]|$)", re.MULTILINE)
_TIMEOUT = timedelta(minutes=10)
"""Swapping in what is out there takes its time on a slow disk."""

# sed replaces the file by rename and keeps its mode, owner and label. It works on the host's own text: the
# probe withholds lines that hold a password.
_EDIT_FSTAB = f"""entry='[[:space:]]*[^#[:space:]][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap'
sed -E -i --follow-symlinks "s,^$entry([[:space:]]|\\$),{MARKER}&," {host_settings.FSTAB}"""
_RESTORE_FSTAB = f"sed -i --follow-symlinks 's,^{MARKER},,' {host_settings.FSTAB}"

_SERVICES = ("zramswap.service", "zram-config.service", "dphys-swapfile.service")
"""What makes swap at boot without a swap unit: Debian's and Ubuntu's zram, Raspberry Pi OS's swap file."""

# Reset starts what is recorded, so only what was on is: what was disabled or masked before us stays so. It is
# recorded before it is done: a run that is killed in between must not leave what nobody knows to undo.
_SWITCH_OFF = f"""record={host_settings.MASKED_SWAP_UNITS}
mkdir -p -m 0700 {paths.STATE_DIR}
off() {{
  if systemctl is-enabled --quiet -- "$1"; then
    echo "disable $1" >>"$record"
    systemctl disable --quiet -- "$1"
  fi
}}
# /etc/fstab is edited by itself; units that follow another one are names of the same device.
systemctl list-units --all --type=swap --plain --no-legend --no-pager | while read -r unit rest; do
  [ "$(systemctl show -p LoadState --value -- "$unit")" != masked ] || continue
  [ "$(systemctl show -p SourcePath --value -- "$unit")" = /etc/fstab ] && continue
  [ -z "$(systemctl show -p Following --value -- "$unit")" ] || continue
  echo "mask $unit" >>"$record"
  if ! systemctl mask --quiet -- "$unit" 2>/dev/null; then
    sed -i '$d' "$record"
    off "$unit"
  fi
done
for service in {" ".join(_SERVICES)}; do
  systemctl cat -- "$service" >/dev/null 2>&1 || continue
  off "$service"
  systemctl stop -- "$service"
done
systemctl daemon-reload
swapoff -a
left=$(tail -n +2 /proc/swaps)
if [ -n "$left" ]; then
  echo "swap is still on: $left" >&2
  exit 1
fi"""

_SWITCH_ON = f"""record={host_settings.MASKED_SWAP_UNITS}
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
    actions: list[Action] = []
    if _SWAP_LINE.search(_fstab(ctx.facts)):
        actions.append(RunScript("take swap out of /etc/fstab", _EDIT_FSTAB))
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
    actions: list[Action] = []
    if MARKER.encode() in _fstab(facts):
        actions.append(RunScript("put swap back into /etc/fstab", _RESTORE_FSTAB))
    if host_settings.MASKED_SWAP_UNITS in facts.files:
        actions.append(RunScript("let swap units start again", _SWITCH_ON))
    return actions


def _fstab(facts: HostFacts) -> bytes:
    fact = facts.files.get(host_settings.FSTAB)
    return (fact.content if fact else None) or b""
