"""Plan the upload of what control planes share to Secret kubeadm-certs (kubeadm's phase upload-certs)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Late, RunScript
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP, BootstrapToken
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import shared
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.token import bootstrap

PHASE = "upload-certs"
PRODUCER = "kubeadm-certs"
"""Its Late.args is the certificate key."""
TTL = timedelta(hours=2)
TOKEN_DESCRIPTION = "Proxy for managing TTL for the kubeadm-certs secret"  # noqa: S105 - kubeadm's own words
_UID = "@UID@"
"""Stands in the owner reference for what only the API server knows."""

# The token comes first: it ends by itself, and what it owns goes with it.
_UPLOAD = """uid=$(sed -n 1p "$INPUT" | {kubectl} create -f - -o 'jsonpath={{.metadata.uid}}')
[ -n "$uid" ]
sed -n 2p "$INPUT" | sed "s|{placeholder}|$uid|" >"$kpy_tmp/certs"
if [ -n "$({kubectl} get secret -n {namespace} {name} --ignore-not-found -o name)" ]; then
  {kubectl} replace -f "$kpy_tmp/certs"
else
  {kubectl} create -f "$kpy_tmp/certs"
fi
sed -n 3p "$INPUT" | {kubectl} apply --server-side --force-conflicts --field-manager kubeadm-py -f -
"""


def plan(ctx: StepContext) -> list[Action]:
    """Upload, where it was asked for: each upload has a key and an end of its own."""
    if ctx.upload_key is None:
        return []
    kubectl = waits.kubectl(ctx.kubeconfig or paths.ADMIN_CONF, f"https://{ctx.node.local_endpoint}")
    script = _UPLOAD.format(
        kubectl=kubectl, placeholder=_UID, namespace=shared.NAMESPACE, name=shared.SECRET_NAME
    )
    name = f"{shared.NAMESPACE}/{shared.SECRET_NAME}"
    late = Late(PRODUCER, {"Secret": name, "ends in": "2h"}, ctx.upload_key)
    return [
        RunScript(
            "upload what control planes share",
            script,
            stdin=late,
            reason="control planes that join by certificate key find it there for two hours",
        )
    ]


def document(secret: Mapping[str, Any], token: Secret, now: datetime) -> bytes:
    """Return what the script reads: the token's Secret, the certificates' Secret, and who may read it."""
    proxy = BootstrapToken(token, TOKEN_DESCRIPTION, TTL, usages=(), groups=())
    owner = bootstrap.secret_object(proxy, now)
    reference = {
        "apiVersion": "v1",
        "kind": "Secret",
        "name": owner["metadata"]["name"],
        "uid": _UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    owned = {**secret, "metadata": {**secret["metadata"], "ownerReferences": [reference]}}
    readers = {"apiVersion": "v1", "kind": "List", "items": shared.rbac(NODE_TOKEN_GROUP)}
    lines: Sequence[Mapping[str, Any]] = (owner, owned, readers)
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


STEP = Step("upload-certs", "upload of shared keys", plan, phase=PHASE)
