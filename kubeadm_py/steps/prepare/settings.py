"""Load the kernel modules and set the sysctls that pods need, now and after every boot."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import timedelta

from kubeadm_py.model import host_settings, kernel, paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.steps.base import StepContext, is_so, write

_TIMEOUT = timedelta(minutes=1)


def plan_modules(ctx: StepContext) -> list[Action]:
    """Load what is not loaded, and list what is not built in for systemd-modules-load."""
    wanted = wanted_modules(ctx.cluster)
    listed = [module for module in wanted if _loadable(module, ctx.facts)]
    spec = FileSpec(paths.MODULES_FILE, _lines("Written by kubeadm-py.", *listed), 0o644)
    actions: list[Action] = []
    if listed:
        actions += write([spec], ctx.facts, title="list kernel modules for every boot")
    missing = [module for module in wanted if module not in ctx.facts.kernel_builtin]
    if missing:
        actions.append(
            RunScript(
                "load " + ", ".join(missing),
                f"""for module in {shlex.join(missing)}; do
  modprobe -- "$module" && continue
  echo "kernel module $module cannot be loaded; does the kernel $(uname -r) have it?" >&2
  exit 1
done""",
                timeout=_TIMEOUT,
            )
        )
    return actions


def wanted_modules(cluster: ResolvedCluster) -> tuple[str, ...]:
    """List the modules that a host of this cluster needs, by kube-proxy's mode."""
    return tuple(dict.fromkeys((*host_settings.MODULES, *kernel.proxy_modules(cluster))))


def _loadable(module: str, facts: HostFacts) -> bool:
    """Say whether a module must be loaded at boot: it is none where the kernel has it built in."""
    built = facts.kernel_config.get(kernel.MODULE_OPTIONS.get(module, ""), "")
    # A container's modules are its machine's, and modules-load does not run there.
    return built != "y" and not facts.container


def plan_sysctls(ctx: StepContext) -> list[Action]:
    """Write the sysctl file and set at once what differs; a limit is raised, never lowered."""
    wanted = wanted_sysctls(ctx.cluster, ctx.facts)
    body = [f"{key} = {value}" for key, value in sorted(wanted.items())]
    spec = FileSpec(paths.SYSCTL_FILE, _lines("Written by kubeadm-py.", *body), 0o644)
    actions = write([spec], ctx.facts, title="keep sysctls for every boot")
    written = is_so(spec, ctx.facts)
    # What the probe did not see is set together with the file, and then left to the next boot.
    differing = {
        key: value
        for key, value in wanted.items()
        if (ctx.facts.sysctls[key] != str(value) if key in ctx.facts.sysctls else not written)
    }
    if differing:
        actions.append(
            RunScript(
                "set " + ", ".join(sorted(differing)),
                _set_sysctls(differing),
                reason=f"not what {paths.SYSCTL_FILE} says (drift)" if written else "",
                timeout=_TIMEOUT,
                shows=tuple(
                    f"{key} {ctx.facts.sysctls.get(key, 'unknown')} -> {value}"
                    for key, value in sorted(differing.items())
                ),
            )
        )
    return actions


def wanted_sysctls(cluster: ResolvedCluster, facts: HostFacts) -> dict[str, int]:
    """Return the values that a host is to have, given what it has."""
    wanted = dict(host_settings.SYSCTLS)
    if uses_ipv6(cluster):
        wanted |= host_settings.SYSCTLS_IPV6
    for key, floor in host_settings.SYSCTL_FLOORS.items():
        now = facts.sysctls.get(key, "")
        wanted[key] = max(floor, int(now)) if now.isdecimal() else floor
    if cluster.kubelet_config.get("protectKernelDefaults") is True:
        wanted |= host_settings.SYSCTLS_PROTECTED
    return wanted


def uses_ipv6(cluster: ResolvedCluster) -> bool:
    """Say whether pods, services or nodes of the cluster have IPv6 addresses."""
    networks = [*cluster.networking.service_networks, *cluster.networking.pod_networks]
    return any(network.version == 6 for network in networks) or any(
        ":" in address for node in cluster.nodes for address in node.addresses
    )


def _set_sysctls(values: Mapping[str, int]) -> str:
    lines = "\n".join(f"{key} {value}" for key, value in sorted(values.items()))
    return f"""failed=
while read -r key value; do
  [ "$(sysctl -n "$key" 2>/dev/null)" = "$value" ] && continue
  if ! sysctl -q -w "$key=$value"; then
    echo "$key is '$(sysctl -n "$key" 2>&1)' and cannot be set to $value" >&2
    failed=1
  fi
done <<'KPY_SYSCTLS'
{lines}
KPY_SYSCTLS
[ -z "$failed" ]"""


def _lines(comment: str, *lines: str) -> bytes:
    return "".join(f"{line}\n" for line in (f"# {comment}", *lines)).encode()
