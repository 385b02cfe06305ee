"""Configure a CRI-O that somebody has installed; it restarts only where what it reads changes."""

from __future__ import annotations

from kubeadm_py.model import host_settings, images, paths, runtimes
from kubeadm_py.model.actions import Action, FileSpec, Unit, WriteFiles
from kubeadm_py.steps.base import StepContext, differing
from kubeadm_py.steps.prepare import containers_conf, proxy, source
from kubeadm_py.steps.prepare.text import render

_POLICY = b'{"default": [{"type": "insecureAcceptAnything"}]}\n'


def plan_crio(ctx: StepContext) -> list[Action]:
    """Bring CRI-O to what the cluster needs: cgroup driver, sandbox image, CNI folders, registries.

    With `preinstalled` nothing but proxy and registry settings is written.
    """
    registries = containers_conf.files(ctx.cluster)
    proxied = proxy.drop_in(host_settings.CRIO_PROXY, ctx.cluster, ctx.node)
    logs_in = any(spec.path == host_settings.CRIO_CREDENTIALS for spec in registries)
    config = [_config(ctx, logs_in=logs_in), *_policy(ctx)] if source.installs(ctx) else []
    files = [*config, *registries, *proxied]
    changed = differing(files, ctx.facts)
    removed = [
        action
        for prefix in (
            host_settings.CONTAINERS_REGISTRIES,
            host_settings.CONTAINERS_CERTS_DIR + "/",
            host_settings.CRIO_CREDENTIALS,
            host_settings.CRIO_PROXY,
        )
        for action in source.leftovers(ctx, files, prefix)
    ]
    actions: list[Action] = []
    if changed:
        actions.append(WriteFiles(tuple(changed), title="configure CRI-O"))
    return [*actions, *removed, *_start(ctx, changed=bool(changed or removed))]


def _config(ctx: StepContext, *, logs_in: bool) -> FileSpec:
    content = render(
        "crio.conf",
        pause_image=images.pause_image(ctx.cluster),
        cni_conf_dir=paths.CNI_CONF_DIR,
        cni_bin_dir=paths.CNI_BIN_DIR,
        credentials=host_settings.CRIO_CREDENTIALS if logs_in else "",
    )
    return FileSpec(host_settings.CRIO_CONFIG, content, 0o644)


def _policy(ctx: StepContext) -> list[FileSpec]:
    """Return the policy without which no image is pulled, unless somebody has one."""
    path = host_settings.CONTAINERS_POLICY
    if path in ctx.facts.files and path not in ctx.recorded:
        return []
    return [FileSpec(path, _POLICY, 0o644)]


def _start(ctx: StepContext, *, changed: bool) -> list[Action]:
    unit = runtimes.CRIO.unit
    fact = ctx.facts.units.get(unit)
    active = fact is not None and fact.active_state == "active"
    enabled = fact is not None and fact.enabled == "enabled"
    if fact is None or fact.load_state != "loaded" or (active and enabled and not changed):
        return []
    state = ("restarted" if changed else "") if active else "started"
    reason = (
        "what it reads at start changed" if active and changed else "it must run, and come back after a boot"
    )
    return [Unit(unit, state, None if enabled else True, daemon_reload=changed, reason=reason)]
