"""Plan how a control plane logs in to members on hosts of role etcd: their CA, and a certificate of it."""

from __future__ import annotations

from kubeadm_py.model.actions import Action, Content, FileSpec, Late, WriteFiles
from kubeadm_py.model.facts import FileFact
from kubeadm_py.pki import files, requests
from kubeadm_py.steps.base import Step, StepContext, differing
from kubeadm_py.steps.certificates import certs


def plan(ctx: StepContext) -> list[Action]:
    """Write etcd's CA certificate and this host's client certificate where they are missing or do not fit."""
    wanted = requests.etcd_client_requests(ctx.cluster, ctx.node)
    if not wanted:
        return []
    authority = requests.etcd_authority(ctx.cluster)
    known = _known(ctx, authority.certificate_path)
    content: Content = Late(files.CERTIFICATE, authority.describe(), authority)
    if known is not None and known.content is not None:
        content = known.content
    spec = FileSpec(authority.certificate_path, content, files.PUBLIC_MODE, of_cluster=True)
    written: list[FileSpec] = []
    reasons: list[str] = []
    for request in wanted:
        why = certs.leaf_lacks(ctx, request, known.content if known is not None else None)
        if why:
            written += files.certificate_files([request])
            reasons.append(f"{request.name}: {why}")
    written.sort(key=lambda each: not each.secret)
    changed = differing([spec], ctx.facts)
    if changed:
        reasons.append(f"{authority.name}: missing, or not that of the hosts that run etcd")
    if not reasons:
        return []
    return [
        WriteFiles((*written, *changed), reason="; ".join(reasons), title="certificates to reach etcd with")
    ]


def _known(ctx: StepContext, path: str) -> FileFact | None:
    """Return the CA as the hosts of role etcd have it; None where it is made in this run."""
    for node in ctx.cluster.etcd_hosts:
        facts = ctx.all_facts.get(node.name)
        if facts is not None and path in facts.files:
            return facts.files[path]
    return None


STEP = Step("etcd-client", "certificates to reach etcd with", plan)
