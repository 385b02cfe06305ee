"""Plan the cluster's certificates and keys (kubeadm's phase certs)."""

from __future__ import annotations

from datetime import timedelta

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.actions import Action, FileSpec, WriteFiles
from kubeadm_py.pki import inspect
from kubeadm_py.pki.files import certificate_files, key_pair_files
from kubeadm_py.pki.requests import CertificateRequest, key_pair_requests, requests
from kubeadm_py.steps.base import Step, StepContext

MINIMUM_REMAINING = timedelta(days=1)
"""A certificate that ends sooner is made anew; renewing in good time is `certs renew`."""


def plan(ctx: StepContext) -> list[Action]:
    """Make what is missing or does not fit; an authority that is there is kept as it is.

    Raise KubeadmPyError where an authority's certificate lies without its key (external CA mode).
    """
    files: list[FileSpec] = []
    reasons: list[str] = []
    fresh: set[str] = set()
    for request in requests(ctx.cluster, ctx.node):
        why = _authority_lacks(ctx, request) if request.is_authority else _leaf_lacks(ctx, request, fresh)
        if why:
            files += certificate_files([request])
            reasons.append(f"{request.name}: {why}")
            if request.is_authority:
                fresh.add(request.name)
    for pair in key_pair_requests(ctx.cluster):
        # kubeadm keeps a private key that is there and makes no public one from it (contract 4.3).
        if pair.key_path not in ctx.facts.files:
            files += key_pair_files([pair])
            reasons.append(f"{pair.name}: missing")
    if not files:
        return []
    # Keys land before certificates: a crash in between must never look like an external CA.
    files.sort(key=lambda spec: not spec.secret)
    return [WriteFiles(tuple(files), reason="; ".join(reasons), title="certificates and keys")]


def _authority_lacks(ctx: StepContext, request: CertificateRequest) -> str:
    certificate = ctx.facts.files.get(request.certificate_path)
    if certificate is None:
        return "missing"
    if request.key_path not in ctx.facts.files:
        raise KubeadmPyError(
            f"{request.certificate_path} is there without {request.key_path} (an external CA)",
            host=ctx.node.name,
            fix="external CAs are not supported yet: add the key, or remove the certificate to get a new CA",
        )
    return ""


def _leaf_lacks(ctx: StepContext, request: CertificateRequest, fresh: set[str]) -> str:
    if request.signer in fresh:
        return f"{request.signer} is new"
    files = ctx.facts.files
    certificate = files.get(request.certificate_path)
    key = files.get(request.key_path)
    if certificate is None or key is None or certificate.content is None:
        return "missing"
    recorded = ctx.recorded.get(request.key_path, {}).get("sha256", "")
    if recorded and recorded != key.sha256:
        return "its key is not the one that was made with it"
    authority = files.get(f"{ctx.cluster.certificates_dir}/{_authority_file(ctx, request)}")
    if authority is None or authority.content is None:
        return f"{request.signer} is missing"
    return "; ".join(
        inspect.fits(certificate.content, request, authority.content, ctx.now, MINIMUM_REMAINING)
    )


def _authority_file(ctx: StepContext, request: CertificateRequest) -> str:
    for authority in requests(ctx.cluster, ctx.node):
        if authority.name == request.signer:
            return authority.certificate_path.removeprefix(f"{ctx.cluster.certificates_dir}/")
    raise KeyError(request.signer)


STEP = Step("certs", "certificates", plan, phase="certs")
