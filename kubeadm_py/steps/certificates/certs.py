"""Plan the cluster's certificates and keys (kubeadm's phase certs)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, WriteFiles
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Role
from kubeadm_py.pki import external, inspect
from kubeadm_py.pki.files import certificate_files, key_pair_files
from kubeadm_py.pki.requests import CertificateRequest, authority_requests, key_pair_requests, requests
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext

API_SERVER = "apiserver"
"""The certificate by which clients know the API."""
MINIMUM_REMAINING = timedelta(days=1)
"""A certificate that ends sooner is made anew; renewing in good time is `certs renew`."""


def minimum_remaining(validity: timedelta) -> timedelta:
    """Return how long a certificate must still last; a short one is not made anew from its first day on."""
    return min(MINIMUM_REMAINING, validity / 10)


def plan(ctx: StepContext) -> list[Action]:
    """Make what is missing or does not fit; an authority that is there is kept as it is.

    What an external authority signs is used as it is; raise KubeadmPyError where some of it is missing.
    """
    refuse_incomplete(ctx)
    given = external.authorities(ctx.cluster, ctx.facts.files)
    files: list[FileSpec] = []
    reasons: dict[str, str] = {}
    fresh: set[str] = set()
    for request in requests(ctx.cluster, ctx.node):
        if not ctx.phases.wants(f"certs/{request.name}") or (request.signer or request.name) in given:
            continue
        why = _authority_lacks(ctx, request) if request.is_authority else _leaf_lacks(ctx, request, fresh)
        if why:
            if ctx.moving and not request.is_authority:
                request = _with_present_names(ctx, request)
            files += certificate_files([request])
            reasons |= dict.fromkeys((request.certificate_path, request.key_path), f"{request.name}: {why}")
            if request.is_authority:
                fresh.add(request.name)
    for pair in key_pair_requests(ctx.cluster, ctx.node):
        if not ctx.phases.wants(f"certs/{pair.name}"):
            continue
        # kubeadm keeps a private key that is there and makes no public one from it (contract 4.3); ours, of a
        # run that was cut off, gets its public half.
        cut_off = pair.key_path in ctx.recorded and pair.public_key_path not in ctx.facts.files
        if pair.key_path not in ctx.facts.files or cut_off:
            files += key_pair_files([pair])
            reasons |= dict.fromkeys((pair.key_path, pair.public_key_path), f"{pair.name}: missing")
    if not files:
        return []
    # Keys land before certificates: a crash in between must never look like an external CA.
    files.sort(key=lambda spec: not spec.secret)
    together = "; ".join(dict.fromkeys(reasons.values()))
    return [WriteFiles(tuple(files), reason=together, title="certificates and keys", why=reasons)]


def _with_present_names(ctx: StepContext, request: CertificateRequest) -> CertificateRequest:
    """Ask for the names that the present certificate has, too: who comes by the old endpoint checks them."""
    fact = ctx.facts.files.get(request.certificate_path)
    if fact is None or not fact.content:
        return request
    dns_names, addresses = inspect.names_of(fact.content)
    return replace(
        request,
        dns_names=tuple(sorted({*request.dns_names, *dns_names})),
        ip_addresses=tuple(dict.fromkeys([*request.ip_addresses, *addresses])),
    )


def plan_served(ctx: StepContext) -> list[Action]:
    """Wait until an API server that runs serves the names that its certificate lacked, without a restart."""
    for request in requests(ctx.cluster, ctx.node):
        if request.name != API_SERVER or not ctx.phases.wants(f"certs/{request.name}"):
            continue
        fact = ctx.facts.files.get(request.certificate_path)
        content = fact.content if fact is not None and ctx.facts.listens(ctx.node.bind_port) else None
        missing = inspect.missing_from(content, request) if content else []
        if missing:
            deadline = ctx.timeouts.control_plane_component_health_check
            return [waits.serves_name(ctx.node, missing[0], ctx.cluster.certificates_dir, deadline)]
    return []


def _authority_lacks(ctx: StepContext, request: CertificateRequest) -> str:
    certificate = ctx.facts.files.get(request.certificate_path)
    if certificate is None:
        _refuse_to_replace(ctx, request)
        return "missing"
    return ""


def known_files(ctx: StepContext) -> Mapping[str, FileFact]:
    """Return the host's files, and what a joining control plane takes over from those that run."""
    shared = ctx.joined.shared if ctx.joined is not None else ()
    taken = {
        each.path: FileFact(each.path, each.mode, "root:root", each.sha256, content=each.content)
        for each in shared
    }
    return {**ctx.facts.files, **taken}


def refuse_incomplete(ctx: StepContext, *, apart_from: Container[str] = ()) -> None:
    """Raise KubeadmPyError that names all that an external authority has to sign and that is not there."""
    files = known_files(ctx)
    lacking = external.lacks(
        ctx.cluster, ctx.node, files, ctx.now, key_pairs=ctx.key_pairs, apart_from=apart_from
    )
    if lacking:
        names = ", ".join(external.authorities(ctx.cluster, files))
        raise KubeadmPyError(
            f"not all that the external CA ({names}) has to sign is there",
            host=ctx.node.name,
            details=lacking,
            fix=external.FIX,
        )


def _refuse_to_replace(ctx: StepContext, request: CertificateRequest) -> None:
    """Raise where a new authority would take the place of one that is in use, or of somebody's key.

    Keys land before certificates and admin.conf after both, so a run that was cut off leaves no more than a
    key that the inventory lists.
    """
    has_key = request.key_path in ctx.facts.files
    if has_key and request.key_path not in ctx.recorded:
        found = f"{request.key_path} is there without {request.certificate_path}"
    elif paths.ADMIN_CONF in ctx.facts.files or _runs_etcd_alone(ctx):
        lost = [request.certificate_path, *([] if has_key else [request.key_path])]
        found = f"this {'etcd host' if ctx.node.role is Role.ETCD else 'control plane'} has lost"
        found += f" {' and '.join(lost)}"
    else:
        return
    raise KubeadmPyError(
        found,
        host=ctx.node.name,
        details=["a new CA would not be trusted by what the old one has signed"],
        fix="put it back from a backup or from another control plane; for a new cluster: kubeadm-py reset",
    )


def _runs_etcd_alone(ctx: StepContext) -> bool:
    return ctx.node.role is Role.ETCD and f"{paths.MANIFESTS_DIR}/etcd.yaml" in ctx.facts.files


def _leaf_lacks(ctx: StepContext, request: CertificateRequest, fresh: set[str]) -> str:
    if request.signer in fresh:
        return f"{request.signer} is new"
    require_authority(ctx, request.signer, f"the certificate {request.name}")
    authority = ctx.facts.files.get(authority_path(ctx, request))
    return leaf_lacks(ctx, request, authority.content if authority is not None else None)


def leaf_lacks(ctx: StepContext, request: CertificateRequest, authority_pem: bytes | None) -> str:
    """Say why a certificate of this host has to be made; empty where it fits authority and request."""
    files = ctx.facts.files
    certificate = files.get(request.certificate_path)
    key = files.get(request.key_path)
    if certificate is None or key is None or certificate.content is None:
        return "missing"
    recorded = ctx.recorded.get(request.key_path, {}).get("sha256", "")
    if not ctx.key_pairs.get(request.key_path, recorded in ("", key.sha256)):
        return "its key is not the one that was made with it"
    if authority_pem is None:
        return f"{request.signer} is missing"
    return "; ".join(
        inspect.fits(
            certificate.content,
            request,
            authority_pem,
            ctx.now,
            minimum_remaining(request.validity),
        )
    )


def require_authority(ctx: StepContext, name: str, wanted: str) -> None:
    """Raise where an authority is neither there nor made in this run, whose phases leave it out."""
    made = ctx.phases.wants(f"certs/{name}")
    path = next(each.certificate_path for each in authority_requests(ctx.cluster) if each.name == name)
    if not made and path not in ctx.facts.files:
        raise KubeadmPyError(
            f"{wanted} cannot be signed: the authority {name} is not there ({path})",
            host=ctx.node.name,
            fix=f"make it first: init phase certs {name}; or put its certificate and key there",
        )


def authority_path(ctx: StepContext, request: CertificateRequest) -> str:
    """Return where the certificate of a request's authority lies."""
    for authority in authority_requests(ctx.cluster):
        if authority.name == request.signer:
            return authority.certificate_path
    raise KeyError(request.signer)


STEP = Step("certs", "certificates", plan, phase="certs")
STEP_SERVED = Step("certs-served", "the API server's certificate", plan_served, phase="certs")
