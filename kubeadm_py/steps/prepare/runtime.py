"""Install, configure and start containerd; it restarts only where what it reads at start changes."""

from __future__ import annotations

import shlex
from datetime import timedelta

from kubeadm_py.artifacts.plan import BinaryState, uses_containerd
from kubeadm_py.model import binaries, host_settings, images, paths, runtimes, versions
from kubeadm_py.model.actions import Action, FileSpec, Unit, Wait, WriteFiles
from kubeadm_py.model.versions import Version
from kubeadm_py.steps.base import StepContext, differing
from kubeadm_py.steps.prepare import proxy, source
from kubeadm_py.steps.prepare.cri_dockerd import plan_cri_dockerd
from kubeadm_py.steps.prepare.crio import plan_crio
from kubeadm_py.steps.prepare.registries import registry_files
from kubeadm_py.steps.prepare.text import render

UNIT = "containerd.service"
READY_DEADLINE = timedelta(minutes=2)
_BIN_DIRS_SINCE = Version(2, 1, 0)
"""containerd takes a list of CNI folders from here on; the single one is deprecated."""


def plan_runtime(ctx: StepContext) -> list[Action]:
    """Bring containerd to what the cluster needs: binaries, config, unit, running and enabled.

    A containerd that somebody else installed keeps its binary and unit; its config becomes ours, because
    the cgroup driver and the sandbox image must fit. With `preinstalled` nothing but proxy and registry
    settings is written. CRI-O and cri-dockerd are configured, never installed.
    """
    if not uses_containerd(ctx.node):
        return _of_others(ctx)
    states = source.states(ctx)
    chosen = [states[binary.name] for binary in binaries.RUNTIME if binary.name in states]
    actions: list[Action] = []
    fresh = source.sent(chosen) if source.installs(ctx) else []
    if fresh:
        actions.append(WriteFiles(tuple(fresh), source.why(chosen), "install containerd and runc"))
    config = _config(ctx, states["containerd"]) if source.installs(ctx) else []
    units = _unit(states["containerd"]) if source.installs(ctx) else []
    proxied = proxy.drop_in(host_settings.CONTAINERD_PROXY, ctx.cluster, ctx.node)
    registries = registry_files(ctx.cluster)
    changed_config = differing(config, ctx.facts)
    changed_units = differing([*units, *proxied], ctx.facts)
    # containerd reads registry settings anew for every pull.
    if written := [*changed_config, *changed_units, *differing(registries, ctx.facts)]:
        actions.append(WriteFiles(tuple(written), title="configure containerd"))
    removed = source.leftovers(ctx, proxied, host_settings.CONTAINERD_PROXY)
    actions += [*removed, *source.leftovers(ctx, registries, paths.CONTAINERD_CERTS_DIR + "/")]
    # runc and the shim are started anew for every container: they need no restart.
    daemon = any(spec.path == states["containerd"].path for spec in fresh)
    reasons = [
        *(["the binary changed"] if daemon else []),
        *(["the config changed"] if changed_config else []),
        *(["the unit changed"] if changed_units or removed else []),
    ]
    unit = _start(ctx, reasons, reload=bool(changed_units or removed))
    if unit is not None:
        actions += [unit, ready(ctx)]
    return actions


def _of_others(ctx: StepContext) -> list[Action]:
    """Configure a runtime that is not ours to install; of one that nobody knows nothing is touched."""
    runtime = runtimes.of_socket(ctx.node.cri_socket)
    if runtime is runtimes.CRIO:
        return plan_crio(ctx)
    return plan_cri_dockerd(ctx) if runtime is runtimes.CRI_DOCKERD else []


def plan_crictl(ctx: StepContext) -> list[Action]:
    """Point crictl at the host's runtime."""
    spec = FileSpec(paths.CRICTL_CONFIG, render("crictl.yaml", endpoint=ctx.node.cri_socket), 0o644)
    if not source.installs(ctx) or not differing([spec], ctx.facts):
        return []
    return [WriteFiles((spec,), title="point crictl at the container runtime")]


def _config(ctx: StepContext, containerd: BinaryState) -> list[FileSpec]:
    version = _version(ctx, containerd)
    template = "containerd-config-v3.toml" if version.major >= 2 else "containerd-config-v2.toml"
    content = render(
        template,
        sandbox_image=images.pause_image(ctx.cluster),
        certs_dir=paths.CONTAINERD_CERTS_DIR,
        cni_bin_dir=paths.CNI_BIN_DIR,
        cni_conf_dir=paths.CNI_CONF_DIR,
        cni_bin_dir_is_list=version >= _BIN_DIRS_SINCE,
        restrict_oom_score_adj=not ctx.facts.cap_sys_resource,
    )
    return [FileSpec(paths.CONTAINERD_CONFIG, content, 0o644)]


def _version(ctx: StepContext, containerd: BinaryState) -> Version:
    """Return the version that reads the config: ours where we install it, else the one that is there."""
    ours = source.view(ctx).components.get(binaries.CONTAINERD, "")
    for text in (ours, containerd.version) if containerd.ours else (containerd.version, ours):
        try:
            return Version.parse(text)
        except ValueError:
            continue
    return Version.parse(versions.release(ctx.cluster.kubernetes_version).containerd)


def _unit(containerd: BinaryState) -> list[FileSpec]:
    if not containerd.ours:
        return []
    return [FileSpec(paths.CONTAINERD_UNIT, render("containerd.service", containerd=containerd.path), 0o644)]


def _start(ctx: StepContext, reasons: list[str], *, reload: bool) -> Unit | None:
    fact = ctx.facts.units.get(UNIT)
    active = fact is not None and fact.active_state == "active"
    enabled = fact is not None and fact.enabled == "enabled"
    if active and enabled and not reasons:
        return None
    if not source.installs(ctx) and (fact is None or fact.load_state != "loaded"):
        return None
    state = ("restarted" if reasons else "") if active else "started"
    reason = " and ".join(reasons or ["it must come back after a boot"]) if active else "it does not run"
    return Unit(UNIT, state, None if enabled else True, reload or not active, reason)


def ready(ctx: StepContext) -> Wait:
    """Wait until containerd answers."""
    return Wait(
        "wait for containerd",
        f"""crictl --runtime-endpoint {shlex.quote(ctx.node.cri_socket)} --timeout 5s info >/dev/null 2>&1 \\
|| {{ echo "the CRI of containerd does not answer yet"; false; }}""",
        READY_DEADLINE,
        hopeless=f"""systemctl is-failed --quiet {UNIT} && echo "containerd cannot start\"""",
        diagnose=f"journalctl -u {UNIT} -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300",
        logs=("containerd",),
    )
