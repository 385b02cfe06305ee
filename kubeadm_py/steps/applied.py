"""Note which cluster the objects and marks that were applied are of: a cluster is its CA."""

from __future__ import annotations

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Late
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.node import Role
from kubeadm_py.pki.requests import ETCD_CA
from kubeadm_py.steps.base import Step, StepContext, is_so, write

AUTHORITY = f"{paths.APPLIED_DIR}/ca"
"""Holds the digest of the CA certificate; the notes beside it count only where this one is so."""
PRODUCER = "authority-note"
"""Makes it where the CA is made in the same run; its Late.args is the authority's name."""


def authority_note(ca_pem: bytes) -> bytes:
    """Return the note about a CA certificate."""
    return _note(sha256(ca_pem))


def same_cluster(ctx: StepContext) -> bool:
    """Say whether what is noted on this host was applied to the cluster with the CA that it has now."""
    spec = _authority(ctx)
    return isinstance(spec.content, bytes) and is_so(spec, ctx.facts)


def another_cluster(ctx: StepContext) -> bool:
    """Say whether the notes on this host are surely of a cluster with another CA."""
    return isinstance(_authority(ctx).content, Late) or (
        AUTHORITY in ctx.facts.files and not same_cluster(ctx)
    )


def plan(ctx: StepContext) -> list[Action]:
    """Note the CA, after all else that is noted: a run that is cut before it applies everything again."""
    return write([_authority(ctx)], ctx.facts, title="note the cluster", reason="its CA is new")


def _authority(ctx: StepContext) -> FileSpec:
    # A host of role etcd has no other authority than etcd's.
    name, file = (ETCD_CA, "etcd/ca.crt") if ctx.node.role is Role.ETCD else ("ca", "ca.crt")
    known = ctx.facts.files.get(f"{ctx.cluster.certificates_dir}/{file}")
    content = _note(known.sha256) if known is not None else Late(PRODUCER, {"digest of": file}, name)
    return FileSpec(AUTHORITY, content, 0o600)


def _note(digest: str) -> bytes:
    return f"{digest}\n".encode()


STEP = Step("applied", "note of the cluster", plan, leader=True)
