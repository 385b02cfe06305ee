"""Check the kernel: its version, options, cgroups and modules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kubeadm_py.model import host_settings, kernel, versions
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, NODES, Check, CheckContext, Hit

TESTED_RELEASES = re.compile(r"5\.4\.|5\.10\.|5\.15\.|([6-9]|[1-9]\d+)\.")
"""Kernels that kubeadm's own check knows; others are only warned about."""
NFTABLES_KERNEL = (5, 13)
"""What kube-proxy's nftables mode needs."""


def release(ctx: CheckContext) -> tuple[int, int]:
    """Return the kernel's version, (0, 0) where it cannot be read."""
    match = re.match(r"(\d+)\.(\d+)", ctx.facts.kernel)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def system_verification(ctx: CheckContext) -> Iterator[Hit]:
    """Look at what kubeadm's system validators look at."""
    if release(ctx) >= versions.MINIMUM_KERNEL and not TESTED_RELEASES.match(ctx.facts.kernel):
        yield Hit(
            f"kernel {ctx.facts.kernel} is not one that Kubernetes is tested with (5.4, 5.10, 5.15, 6+)",
            "use one of them if something does not work",
            severity=Severity.WARNING,
        )
    yield from _options(ctx)
    yield from _cgroups(ctx)


def _options(ctx: CheckContext) -> Iterator[Hit]:
    # A container shares the machine's kernel, and often cannot see its config.
    severity = Severity.WARNING if ctx.facts.container else None
    config = ctx.facts.kernel_config
    if not config:
        yield Hit(
            "the kernel's config is not readable (/boot/config-RELEASE, /proc/config.gz)",
            "install the kernel's own package, or modprobe configs",
            severity=severity,
        )
        return
    by_version = {1: kernel.REQUIRED_OPTIONS_CGROUP_V1, 2: kernel.REQUIRED_OPTIONS_CGROUP_V2}
    groups = (*kernel.REQUIRED_OPTIONS, *by_version[ctx.facts.cgroup_version])
    missing = [" or ".join(group) for group in groups if not any(f"CONFIG_{one}" in config for one in group)]
    if missing:
        yield Hit(f"the kernel lacks {', '.join(missing)}", "use a kernel that has them", severity=severity)


def _cgroups(ctx: CheckContext) -> Iterator[Hit]:
    if ctx.facts.cgroup_version == 1:
        strict = ctx.cluster.kubernetes_version >= versions.KUBELET_REFUSES_CGROUP_V1_SINCE
        allowed = ctx.cluster.kubelet_config.get("failCgroupV1") is False
        lines = "" if allowed else "set failCgroupV1: false in KubeletConfiguration and "
        yield Hit(
            "the host uses cgroup v1, which is in maintenance"
            + ("; the kubelet refuses it from 1.35 on" if strict else ""),
            "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or "
            f"{lines}list SystemVerification in nodeRegistration.ignorePreflightErrors",
            severity=None if strict else Severity.WARNING,
        )
        required = kernel.REQUIRED_CONTROLLERS_V1
    else:
        required = kernel.REQUIRED_CONTROLLERS_V2
    missing = sorted(required - ctx.facts.cgroup_controllers) if ctx.facts.cgroup_controllers else []
    if missing:
        hint = "; on a Raspberry Pi: cgroup_enable=memory" if "memory" in missing else ""
        yield Hit(
            f"cgroup controllers are off: {', '.join(missing)}",
            f"switch them on at the kernel's command line{hint}",
        )
    optional = kernel.OPTIONAL_CONTROLLERS[2 if ctx.facts.cgroup_version == 2 else 1]
    off = sorted(optional - ctx.facts.cgroup_controllers) if ctx.facts.cgroup_controllers else []
    if off:
        yield Hit(
            f"optional cgroup controllers are off: {', '.join(off)}",
            "switch them on where limits of pods need them",
            severity=Severity.WARNING,
        )


def kernel_too_old(ctx: CheckContext) -> Iterator[Hit]:
    """Compare with the oldest kernel that Kubernetes supports."""
    found = release(ctx)
    if (0, 0) < found < versions.MINIMUM_KERNEL:
        oldest = ".".join(str(part) for part in versions.MINIMUM_KERNEL)
        yield Hit(f"kernel {ctx.facts.kernel}; Kubernetes needs {oldest} or newer", "upgrade the system")


def lacking(ctx: CheckContext, modules: Iterable[str]) -> list[str]:
    """Return the modules that neither work already nor can be loaded; built-in ones work."""
    return [one for one in modules if one not in ctx.facts.kernel_builtin | ctx.facts.modules_loadable]


def kernel_modules(ctx: CheckContext) -> Iterator[Hit]:
    """Look for what every node needs of the kernel; the machine of a container may load what it has."""
    missing = lacking(ctx, dict.fromkeys([*host_settings.MODULES, *ctx.needs.kernel]))
    never = [one for one in missing if ctx.facts.container and _has_no_option(ctx, one)]
    later = [one for one in missing if one not in never]
    if never:
        yield Hit(_without(ctx, never), f"use a machine whose kernel has {', '.join(never)}")
    if later:
        severity = Severity.WARNING if ctx.facts.container else None
        yield Hit(_without(ctx, later), _how_to_get(ctx, later), severity=severity)


def _has_no_option(ctx: CheckContext, module: str) -> bool:
    config = ctx.facts.kernel_config
    return bool(config) and f"CONFIG_{kernel.MODULE_OPTIONS[module]}" not in config


def _without(ctx: CheckContext, missing: list[str]) -> str:
    asked = sorted({addon for one in missing for addon in ctx.needs.kernel.get(one, ())})
    by = f" ({' and '.join(asked)} asks for it)" if asked else ""
    return f"the kernel has no {', '.join(missing)}, built in or as a module{by}"


def kube_proxy_mode(ctx: CheckContext) -> Iterator[Hit]:
    """Look for what kube-proxy's mode needs of the kernel."""
    if ctx.cluster.proxy_disabled:
        return
    mode = str(ctx.cluster.kube_proxy_config.get("mode") or "")
    wanted = (*kernel.proxy_modules(ctx.cluster), *host_settings.PROXY_MODE_LINKS.get(mode, ()))
    missing = lacking(ctx, wanted)
    if missing:
        yield Hit(
            f"kube-proxy's mode {mode or 'iptables'} needs {', '.join(missing)}; the kernel lacks it",
            _how_to_get(ctx, missing)
            + ("; or KubeProxyConfiguration mode: iptables" if mode == "ipvs" else ""),
            severity=None if ctx.facts.modules_known else Severity.WARNING,
        )
    if mode == "nftables" and (0, 0) < release(ctx) < NFTABLES_KERNEL:
        yield Hit(
            f"kube-proxy's mode nftables needs kernel 5.13 or newer; this is {ctx.facts.kernel}",
            "upgrade the system, or KubeProxyConfiguration mode: iptables",
        )


def _how_to_get(ctx: CheckContext, missing: list[str]) -> str:
    if ctx.facts.container:
        return f"load them on the machine that runs this container: modprobe -a {' '.join(missing)}"
    return f"install the kernel's (extra) modules, or a kernel with {', '.join(missing)}"


CHECKS = (
    Check(
        "SystemVerification",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Kernel release, options and cgroups are what Kubernetes needs (cgroup v1: refused from 1.35 on).",
        system_verification,
        tested="node",
    ),
    Check(
        "KernelTooOld",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The kernel is one that Kubernetes still supports.",
        kernel_too_old,
        kubeadm=False,
    ),
    Check(
        "KernelModules",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "overlay, br_netfilter and what add-ons need are built in or can be loaded.",
        kernel_modules,
        kubeadm=False,
    ),
    Check(
        "KubeProxyMode",
        Severity.ERROR,
        Gate.HOST,
        NODES,
        "The kernel has what kube-proxy's mode needs (ipvs: ip_vs, its scheduler, dummy; nftables: 5.13).",
        kube_proxy_mode,
        kubeadm=False,
    ),
)
