"""Configure cri-dockerd, for who needs Docker: sandbox image, CNI folders, and the CAs of registries."""

from __future__ import annotations

from kubeadm_py.model import host_settings, images, paths, runtimes
from kubeadm_py.model.actions import Action, FileSpec, Unit, WriteFiles
from kubeadm_py.steps.base import StepContext, differing
from kubeadm_py.steps.prepare import source
from kubeadm_py.steps.prepare.text import render


def plan_cri_dockerd(ctx: StepContext) -> list[Action]:
    """Bring cri-dockerd to what the cluster needs; Docker itself stays its installer's business.

    Docker reads CAs below certs.d anew for each pull. With `preinstalled` nothing else is written.
    """
    certificates = [
        FileSpec(f"{host_settings.DOCKER_CERTS_DIR}/{name}/ca.crt", registry.ca, 0o644)
        for name, registry in sorted(ctx.cluster.registries.items())
        if registry.ca
    ]
    program = ctx.facts.executables.get(runtimes.CRI_DOCKERD.program, "")
    drop_in = [_drop_in(ctx, program)] if source.installs(ctx) and program else []
    changed = differing(drop_in, ctx.facts)
    written = [*changed, *differing(certificates, ctx.facts)]
    actions: list[Action] = [WriteFiles(tuple(written), title="configure cri-dockerd")] if written else []
    actions += source.leftovers(ctx, certificates, host_settings.DOCKER_CERTS_DIR + "/")
    if changed:
        reason = "what it reads at start changed"
        actions.append(Unit(runtimes.CRI_DOCKERD.unit, "restarted", True, daemon_reload=True, reason=reason))
    return actions


def _drop_in(ctx: StepContext, program: str) -> FileSpec:
    content = render(
        "cri-docker.conf",
        program=program,
        pause_image=images.pause_image(ctx.cluster),
        cni_conf_dir=paths.CNI_CONF_DIR,
        cni_bin_dir=paths.CNI_BIN_DIR,
    )
    return FileSpec(host_settings.CRI_DOCKERD_DROPIN, content, 0o644)
