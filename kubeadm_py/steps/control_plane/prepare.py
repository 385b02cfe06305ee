"""Plan what a joining control plane has before its kubelet starts (kubeadm's phase control-plane-prepare)."""

from __future__ import annotations

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths, typed
from kubeadm_py.model.actions import Action, FileSpec, Late, WriteFiles
from kubeadm_py.pki import external
from kubeadm_py.pki.files import certificate_files, kubeconfig_files
from kubeadm_py.pki.requests import CertificateRequest, KubeconfigRequest, kubeconfig_requests, leaf_requests
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.control_plane import static_pods

PHASE = "control-plane-prepare"
PRODUCER = "shared-file"
"""Its Late.args is the path of a file that all control planes have alike."""
_OWN_CREDENTIALS = (paths.SUPER_ADMIN_CONF, paths.KUBELET_CONF)
"""Not of a joining control plane: the first is init's alone, the kubelet asks the cluster for the second."""


def plan_download(ctx: StepContext) -> list[Action]:
    """Write the authorities and the service account key that the other control planes have.

    Raise KubeadmPyError where another file lies in the way: what it has signed would be lost.
    """
    refuse_others(ctx)
    files: list[FileSpec] = []
    for shared in ctx.joined.shared:
        if shared.path in ctx.facts.files:
            continue
        secret = shared.content is None
        late = Late(PRODUCER, {"from the other control planes": shared.path}, shared.path)
        files.append(FileSpec(shared.path, late, shared.mode, secret=secret, of_cluster=True))
    if not files:
        return []
    # Keys land before certificates: a crash in between must never look like an external CA.
    files.sort(key=lambda spec: not spec.secret)
    return [WriteFiles(tuple(files), reason="all control planes have them alike", title="shared keys")]


def refuse_others(ctx: StepContext) -> None:
    """Raise KubeadmPyError where the host has a shared file that is not the other control planes'.

    Whether this run's tool wrote it is no matter: nobody knows which of the two is right.
    """
    for shared in ctx.joined.shared:
        fact = ctx.facts.files.get(shared.path)
        if fact is not None and fact.sha256 != shared.sha256:
            raise KubeadmPyError(
                f"{shared.path} is not the one that the cluster has",
                host=ctx.node.name,
                details=["all control planes of a cluster have it alike; another cluster's would be lost"],
                fix="look which of them is wrong, save what you need, and take the host back:"
                f" {typed.at(ctx.cluster, ctx.node, 'reset')}",
            )


def refuse_incomplete(ctx: StepContext) -> None:
    """Raise KubeadmPyError where an external authority has not signed all that this host needs."""
    certs.refuse_incomplete(ctx, apart_from=_OWN_CREDENTIALS)


def plan_certs(ctx: StepContext) -> list[Action]:
    """Make the certificates of this host that are missing or do not fit.

    What an external authority signs is used as it is; raise KubeadmPyError where some of it is missing.
    """
    refuse_incomplete(ctx)
    given = external.authorities(ctx.cluster, certs.known_files(ctx))
    files: list[FileSpec] = []
    reasons: list[str] = []
    for request in leaf_requests(ctx.cluster, ctx.node):
        if request.signer in given:
            continue
        why = certs.leaf_lacks(ctx, request, _authority(ctx, request))
        if why:
            files += certificate_files([request])
            reasons.append(f"{request.name}: {why}")
    if not files:
        return []
    files.sort(key=lambda spec: not spec.secret)
    return [WriteFiles(tuple(files), reason="; ".join(reasons), title="certificates and keys")]


def plan_kubeconfigs(ctx: StepContext) -> list[Action]:
    """Write the kubeconfigs of administrator, controller manager and scheduler; not with an external CA."""
    if "ca" in external.authorities(ctx.cluster, certs.known_files(ctx)):
        return []
    files: list[FileSpec] = []
    reasons: list[str] = []
    for request in joining_kubeconfigs(ctx):
        why = kubeconfigs.lacks(ctx, request, ctx.joined.ca_pem)
        if why:
            files += kubeconfig_files([request])
            reasons.append(f"{request.name}: {why}")
    return [WriteFiles(tuple(files), reason="; ".join(reasons), title="kubeconfigs")] if files else []


def joining_kubeconfigs(ctx: StepContext) -> list[KubeconfigRequest]:
    """List the kubeconfigs that are signed for a joining control plane."""
    return [
        request
        for request in kubeconfig_requests(ctx.cluster, ctx.node)
        if request.path not in _OWN_CREDENTIALS
    ]


def _authority(ctx: StepContext, request: CertificateRequest) -> bytes | None:
    shared = ctx.joined.shared_file(certs.authority_path(ctx, request))
    return shared.content if shared is not None else None


STEP_DOWNLOAD = Step("download-certs", "shared keys", plan_download, phase=f"{PHASE}/download-certs")
STEP_CERTS = Step("certs", "certificates", plan_certs, phase=f"{PHASE}/certs")
STEP_KUBECONFIG = Step("kubeconfig", "kubeconfigs", plan_kubeconfigs, phase=f"{PHASE}/kubeconfig")
STEP_CONTROL_PLANE = Step("control-plane", "static pods", static_pods.plan, phase=f"{PHASE}/control-plane")
