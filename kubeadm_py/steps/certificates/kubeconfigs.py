"""Plan the kubeconfigs of a control-plane host (kubeadm's phase kubeconfig)."""

from __future__ import annotations

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, WriteFiles
from kubeadm_py.pki import external
from kubeadm_py.pki.files import kubeconfig_files
from kubeadm_py.pki.kubeconfig import kubeconfig_fits
from kubeadm_py.pki.requests import KubeconfigRequest, kubeconfig_requests
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.certificates.certs import minimum_remaining, refuse_incomplete, require_authority


def plan(ctx: StepContext) -> list[Action]:
    """Write the kubeconfigs that are missing, or that another CA or user than wanted stands in.

    With an external CA they are the operator's: raise KubeadmPyError where one is missing or does not fit.
    """
    if "ca" in external.authorities(ctx.cluster, ctx.facts.files):
        refuse_incomplete(ctx)
        return []
    files: list[FileSpec] = []
    reasons: dict[str, str] = {}
    authority = ctx.facts.files.get(f"{ctx.cluster.certificates_dir}/ca.crt")
    for request in kubeconfig_requests(ctx.cluster, ctx.node):
        if not ctx.phases.wants(f"kubeconfig/{request.name.removesuffix('.conf')}"):
            continue
        require_authority(ctx, "ca", f"{request.name}'s certificate")
        why = lacks(ctx, request, authority.content if authority is not None else None)
        if why:
            files += kubeconfig_files([request])
            reasons[request.path] = f"{request.name}: {why}"
    if not files:
        return []
    return [WriteFiles(tuple(files), reason="; ".join(reasons.values()), title="kubeconfigs", why=reasons)]


def lacks(ctx: StepContext, request: KubeconfigRequest, authority_pem: bytes | None) -> str:
    """Say why a kubeconfig of this host has to be made; empty where it fits the CA and the request."""
    fact = ctx.facts.files.get(request.path)
    if authority_pem is None:
        return "the CA is new"
    if fact is None:
        # super-admin.conf belongs to init alone: people remove it afterwards, and it stays removed.
        named = ctx.phases.names("kubeconfig/super-admin")
        if request.path == paths.SUPER_ADMIN_CONF and paths.ADMIN_CONF in ctx.facts.files and not named:
            return ""
        return "missing"
    if fact.content is None:
        return "unreadable"
    if not ctx.key_pairs.get(request.path, True):
        return "its key is not the one that was made with its certificate"
    found = kubeconfig_fits(
        fact.content,
        request,
        authority_pem,
        ctx.now,
        minimum_remaining(request.validity),
        compare_server=not ctx.moving,
    )
    return "; ".join(found)


STEP = Step("kubeconfig", "kubeconfigs", plan, phase="kubeconfig")
