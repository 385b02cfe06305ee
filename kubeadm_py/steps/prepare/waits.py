"""Let what is still setting the host up finish first: cloud-init and package managers."""

from __future__ import annotations

from datetime import timedelta

from kubeadm_py.model.actions import Action, Wait
from kubeadm_py.steps.base import StepContext

DEADLINE = timedelta(minutes=10)

_LOCKS = {
    "apt-get": ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"),
    "dnf": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"),
    "yum": ("/var/lib/rpm/.rpm.lock",),
    "zypper": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/run/zypp.pid"),
}


def plan_waits(ctx: StepContext) -> list[Action]:
    """Wait for cloud-init where it runs, and for a package manager that holds its lock."""
    actions: list[Action] = []
    if ctx.facts.cloud_init in ("running", "not started", "not run"):
        actions.append(
            Wait(
                "wait for cloud-init",
                """case $(cloud-init status 2>/dev/null) in
  *running* | *'not started'* | *'not run'*) echo 'cloud-init is still running'; false ;;
esac""",
                DEADLINE,
                interval=2,
                diagnose="cloud-init status --long 2>&1 | tail -n 8",
                look=f"cloud-init status --long     (on {ctx.node.name})",
            )
        )
    if ctx.facts.package_lock_held:
        known = _LOCKS.get(ctx.facts.package_manager) or sum(_LOCKS.values(), ())
        patterns = " ".join(f"-e {path}" for path in dict.fromkeys(known))
        held = "lslocks --noheadings --notruncate --output COMMAND,PATH 2>/dev/null"
        actions.append(
            Wait(
                "wait for the package manager",
                f"""held=$({held} | grep -F {patterns}) || true
if [ -n "$held" ]; then
  echo "the package manager is at work: $(echo "$held" | head -n 1)"
  false
fi""",
                DEADLINE,
                interval=2,
                diagnose=f"{held} | grep -F {patterns}",
                look=f"lslocks     (on {ctx.node.name}, as root)",
            )
        )
    return actions
